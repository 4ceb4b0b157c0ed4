"""Pictures show what their numbers say, whatever the numbers are."""

import re

from hypothesis import given
from hypothesis import strategies as st

from soc.report import charts


@given(st.lists(st.integers(-(10**30), 10**30), max_size=20))
def test_bars_stay_in_their_picture_and_begin_at_one_axis(changes: list[int]) -> None:
    found = charts.bars(changes)

    assert len({bar.axis for bar in found}) <= 1
    for bar, change in zip(found, changes, strict=True):
        assert -0.2 <= bar.x <= charts.ROW + 0.2
        assert bar.kind == ("down" if change < 0 else "bar")
        assert bar.width > 0 or change == 0


@given(st.lists(st.none() | st.floats(0, 1e12), max_size=40), st.floats(0.001, 1e6))
def test_a_series_never_leaves_its_plot_and_breaks_where_there_is_nothing(
    values: list[float | None], limit: float
) -> None:
    plot = charts.series(values, ["a", "b"], [("limit", limit)])

    runs = len(re.findall("M", plot.line))
    gaps = sum(
        value is not None and (n == 0 or values[n - 1] is None) for n, value in enumerate(values)
    )
    assert runs == gaps
    for x, y in re.findall(r"([\d.e+-]+) ([\d.e+-]+)", plot.line):
        assert 0 <= float(x) <= charts.WIDTH
        assert 0 <= float(y) <= charts.HEIGHT
    assert len(plot.y) == 5
    assert all(0 <= y <= charts.HEIGHT for _, y in plot.limits)


def test_a_series_of_nothing_is_an_empty_line() -> None:
    assert charts.series([], []).line == ""


def test_a_graph_draws_each_link_once_and_says_what_it_left_out() -> None:
    links = [
        {"wallet": f"0x{n:03}", "project": "p", "name": "Lichen"}
        for n in range(charts.MOST_NODES + 5)
    ]

    found = charts.graph(links)

    assert len(found.givers) == charts.MOST_NODES
    assert found.left_out == 5
    assert found.lines.count("M") == charts.MOST_NODES
    assert [(node.name, node.label) for node in found.takers] == [("p", "Lichen")]
    assert all(0 < node.y < found.height for node in (*found.givers, *found.takers))
