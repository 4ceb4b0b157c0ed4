"""Geometry of pictures: numbers for SVG. What is painted how stands in the stylesheet."""

from collections.abc import Sequence
from typing import Any, NamedTuple

WIDTH, HEIGHT = 600, 120
ROW = 120
"""Width of the picture in a table row."""
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

    parts, is_pen_up = [], True
    for number, value in enumerate(values):
        if value is not None:
            place = f"{round(number * step, 1):g} {down(value):g}"
            # A value alone is drawn as a point: a line needs two.
            parts.append(f"M{place}h.1" if is_pen_up else f"L{place}")
        is_pen_up = value is None
    marks = tuple(f"{top * part / 4:,.4g}{unit}" for part in range(4, -1, -1))
    return Plot("".join(parts), tuple((kind, down(at)) for kind, at in limits), marks, tuple(ticks))


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
