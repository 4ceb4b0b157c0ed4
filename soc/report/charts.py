"""Geometry of pictures: numbers for SVG. What is painted how stands in the stylesheet."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

WIDTH, HEIGHT = 600, 120
ROW = 120
"""Width of the picture in a table row."""
SMALL = 160, 36
SIDE = 240
"""Width and height of a picture of points."""
GRAPH = 640
"""Width of a graph."""
MOST_NODES = 60
"""Nodes of one side of a graph: more cannot be told apart."""


class Bar(NamedTuple):
    """A change as a bar that begins at the axis. x, width, axis: in a picture of ROW."""

    kind: str
    x: float
    width: float
    axis: float


class Plot(NamedTuple):
    """A series over time: path data in a picture of WIDTH by HEIGHT, and the ticks beside it."""

    line: str
    limits: tuple[tuple[str, float], ...]
    y: tuple[str, ...]
    x: tuple[str, ...]


class Band(NamedTuple):
    """A figure over time in a picture of SMALL: path data of its interval and of its values."""

    area: str
    line: str


class Node(NamedTuple):
    """A circle or square of a graph, its name, and what it is called."""

    name: str
    x: float
    y: float
    label: str = ""


class Graph(NamedTuple):
    """Who gave on the left, what was given to on the right, and lines between them."""

    height: int
    givers: tuple[Node, ...]
    takers: tuple[Node, ...]
    lines: str
    left_out: int


def columns(
    counts: Sequence[int], width: int, height: int, tallest: int | None = None
) -> list[dict[str, float]]:
    """Return a rectangle for each count, in a picture so wide and high, two apart.

    tallest: of the highest one; the whole picture without it.
    """
    most, room = max(counts, default=0) or 1, height if tallest is None else tallest
    step = width / max(len(counts), 1)
    return [
        {
            "x": round(place * step, 1),
            "width": round(max(step - 2, 1), 1),
            "y": round(height - room * count / most, 1),
            "height": round(room * count / most, 1),
        }
        for place, count in enumerate(counts)
    ]


def bars(changes: Sequence[int]) -> list[Bar]:
    """Return one bar for each of *changes*, all to one scale, with room for both signs."""
    below = -min([0, *changes])
    above = max([0, *changes])
    span = below + above or 1
    axis = ROW * below / span
    return [
        Bar(
            "bar" if change >= 0 else "down",
            round(min(axis, axis + ROW * change / span), 1),
            round(max(abs(ROW * change / span), 1.0 if change else 0.0), 1),
            round(axis, 1),
        )
        for change in changes
    ]


def series(
    values: Sequence[float | None],
    ticks: Sequence[str],
    limits: Sequence[tuple[str, float]] = (),
    unit: str = "",
) -> Plot:
    """Return a line through *values*, broken where there are none, with dashed *limits*."""
    known = [value for value in values if value is not None]
    top = _top(max([*known, *(value for _, value in limits), 0.0]))
    step = WIDTH / max(len(values) - 1, 1)

    def down(value: float) -> float:
        return round(HEIGHT - HEIGHT * min(value, top) / top, 1)

    line = _line(values, lambda number, value: f"{round(number * step, 1):g} {down(value):g}")
    marks = tuple(f"{top * part / 4:,.4g}{unit}" for part in range(4, -1, -1))
    return Plot(line, tuple((kind, down(at)) for kind, at in limits), marks, tuple(ticks))


def scatter(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return *points* placed in a square of SIDE, both ways to one scale, upwards is more."""
    if not points:
        return []
    left, bottom = (min(point[way] for point in points) for way in (0, 1))
    wide = max(max(point[way] for point in points) - low for way, low in ((0, left), (1, bottom)))
    scale = (SIDE - 12) / (wide or 1)
    return [
        (round(6 + (x - left) * scale, 1), round(SIDE - 6 - (y - bottom) * scale, 1))
        for x, y in points
    ]


def band(
    values: Sequence[float | None], low: Sequence[float | None], high: Sequence[float | None]
) -> Band:
    """Return *values* as a line in the band of their intervals, from 0 or the lowest on."""
    width, height = SMALL
    known = [value for value in (*values, *low, *high) if value is not None]
    floor, top = min([0.0, *known]), max([0.0, *known])
    step, scale = (width - 8) / max(len(values) - 1, 1), (height - 8) / ((top - floor) or 1)

    def place(number: int, value: float) -> str:
        return f"{4 + number * step:.1f} {height - 4 - (value - floor) * scale:.1f}"

    edges = [
        (place(number, up), place(number, down)) if down is not None and up is not None else None
        for number, (down, up) in enumerate(zip(low, high, strict=True))
    ]
    areas = []
    for is_there, run in groupby(edges, key=lambda edge: edge is not None):
        if is_there:
            upper, lower = zip(*(edge for edge in run if edge), strict=True)
            areas.append(f"M{'L'.join((*upper, *reversed(lower)))}Z")
    return Band("".join(areas), _line(values, place))


def graph(links: Sequence[dict[str, Any]]) -> Graph:
    """Return a graph of *links*, each with a wallet and a project."""
    givers = sorted({link["wallet"] for link in links})[:MOST_NODES]
    takers = sorted({link["project"] for link in links})[:MOST_NODES]
    called = {link["project"]: link.get("name", "") for link in links}
    height = 24 * max(len(givers), len(takers), 1) + 16
    left = {name: _spread(number, len(givers), height) for number, name in enumerate(givers)}
    right = {name: _spread(number, len(takers), height) for number, name in enumerate(takers)}
    shown = [link for link in links if link["wallet"] in left and link["project"] in right]
    lines = "".join(
        f"M168 {left[link['wallet']]:g}C300 {left[link['wallet']]:g} 300 "
        f"{right[link['project']]:g} 432 {right[link['project']]:g}"
        for link in shown
    )
    return Graph(
        height,
        tuple(Node(name, 160, at) for name, at in left.items()),
        tuple(Node(name, 440, at, called.get(name, "")) for name, at in right.items()),
        lines,
        len(links) - len(shown),
    )


def _line(values: Sequence[float | None], place: Callable[[int, float], str]) -> str:
    """Return path data through *values*, broken where there are none."""
    parts, is_pen_up = [], True
    for number, value in enumerate(values):
        if value is not None:
            # A value alone is drawn as a point: a line needs two.
            parts.append(f"M{place(number, value)}h.1" if is_pen_up else f"L{place(number, value)}")
        is_pen_up = value is None
    return "".join(parts)


def _spread(number: int, of: int, height: int) -> float:
    return round(height * (number + 0.5) / of, 1)


def _top(largest: float) -> float:
    """Return a round number that is not below *largest*."""
    size = 1.0
    while size < largest:
        size *= 10
    while size / 10 >= largest > 0:
        size /= 10
    return next((size * part for part in (0.1, 0.2, 0.4, 0.5, 1) if size * part >= largest), size)
