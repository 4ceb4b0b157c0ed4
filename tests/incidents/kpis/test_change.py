"""A change between two windows has an interval, and is only told where it is sure."""

from typing import Any

import pytest

from soc.incidents.kpis.change import change
from soc.incidents.kpis.statistics import wilson

SAME = {"kpi": "k", "title": "t", "unit": "share", "since": "a", "until": "b", "fresh": None}


def share(hits: int, n: int) -> dict[str, Any]:
    if not n:
        return {**SAME, "n": 0, "value": None, "low": None, "high": None, "reason": "no row"}
    found = wilson(hits, n)
    return {**SAME, "n": n, "value": hits / n, "low": found.low, "high": found.high, "reason": ""}


def test_of_shares_it_is_newcombes_interval() -> None:
    """The example of his paper's Table II, method 10 without continuity correction: 56/70, 48/80."""
    found = change(share(48, 80), share(56, 70))

    assert (round(found["low"], 4), round(found["high"], 4)) == (0.0524, 0.3339)
    assert found["difference"] == pytest.approx(0.2)
    assert found["changed"] is True


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        pytest.param((5, 100), (6, 100), False, id="within chance"),
        pytest.param((5, 100), (30, 100), True, id="more"),
        pytest.param((30, 100), (5, 100), True, id="less"),
        pytest.param((0, 0), (5, 100), None, id="nothing before"),
        pytest.param((5, 100), (0, 0), None, id="nothing after"),
    ],
)
def test_a_change_is_sure_where_nought_lies_outside(
    before: tuple[int, int], after: tuple[int, int], changed: bool | None
) -> None:
    found = change(share(*before), share(*after))

    assert found["changed"] is changed
    assert (found["why"] == "no row") == (changed is None)


def test_a_figure_without_an_interval_says_so() -> None:
    one = {**share(1, 2), "low": None, "high": None}

    found = change(share(1, 2), one)

    assert (found["difference"], found["changed"]) == (0, None)
    assert "too few rows" in found["why"]
