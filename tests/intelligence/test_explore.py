"""What is said of data before any model is what they say, and what is not known is left open."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from soc.intelligence.explore import explore
from soc.intelligence.features.build import build
from tests.intelligence.gifts import MINED, SAID, Told, moment, view
from tests.intelligence.people import people

DAY = 86_400.0
HOUR = 3_600.0


def test_shares_times_and_amounts_are_those_of_the_transactions() -> None:
    told = [
        Told("0x1", SAID, at=0, amount="100"),
        Told("0x1", MINED, at=4, late=6, amount="100"),
        Told("0x2", SAID, at=DAY, amount="300", wallet=2),
        Told("0x3", MINED, at=DAY + 9, late=20, amount="800"),
        Told("0x4", MINED, at=9 * DAY, amount="0"),
    ]
    shown = view(told)
    found = explore(shown, build(shown, moment(5 * DAY)), None, decimals=2)

    assert (found["completion"]["n"], found["completion"]["value"]) == (3, 2 / 3)
    assert found["completion"]["low"] < 2 / 3 < found["completion"]["high"]
    assert (found["finality_s"]["n"], found["finality_s"]["mean"]) == (2, 13)
    assert found["finality_s"]["missing"] == 1
    assert (found["event_lag_s"]["n"], found["event_lag_s"]["mean"]) == (2, 2)
    assert (found["amounts"]["total"], found["amounts"]["quartiles"][2]) == (12, 3)
    assert sum(part["n"] for part in found["amounts"]["histogram"]) == 3
    assert [(d["transactions"], d["confirmed"], d["users"]) for d in found["days"]] == [
        (1, 1, 1),
        (2, 1, 2),
    ]
    assert found["users"] == {"all": 2, "active": 2, "inactive": 0, "flagged": 0}
    assert found["drift"] == []


def test_correlations_are_of_users_who_have_both() -> None:
    shown = people()
    frame = build(shown, moment(48 * HOUR))
    found = explore(shown, frame, None)["correlations"]
    names, table = found["names"], found["spearman"]
    one, other = (np.array(frame.table[n].to_numpy()) for n in ("tx_count", "gap_median"))
    both = ~np.isnan(other)
    expected = spearmanr(one[both], other[both])[0]

    assert table[names.index("tx_count")][names.index("gap_median")] == pytest.approx(expected)
    assert all(table[n][n] in {1.0, None} for n in range(len(names)))
    assert np.array_equal(
        np.array(table, dtype=float), np.array(table, dtype=float).T, equal_nan=True
    )
    constant = names.index("suspicious_ratio")
    assert set(table[constant]) == {None}


def test_what_moved_since_the_window_before_is_told_with_sizes() -> None:
    shown = people()
    now, before = (build(shown, moment(hours * HOUR)) for hours in (48, 24))
    found = {one["column"]: one for one in explore(shown, now, before)["drift"]}

    assert (found["tx_count"]["rows"], found["tx_count"]["reference"]) == (
        120,
        before.table.num_rows,
    )
    assert found["tx_count"]["level"] == "much"
    assert found["suspicious_ratio"]["level"] == "none"
    assert found["tx_count"]["index"] > found["tx_count"]["chance"]
    few = explore(shown, now, build(shown, moment(4 * HOUR)))["drift"]
    assert {one["level"] for one in few} == {None}


def test_no_figure_is_infinite_or_no_number() -> None:
    shown = view([Told("0x1", SAID, amount="0")])
    found = explore(shown, build(shown, moment(60)), None)

    assert found["amounts"]["histogram"] == []
    assert found["amounts"]["deviation"] is None
    assert found["finality_s"] == {"n": 0, "missing": 1}
    assert all(math.isfinite(value) for value in found["amounts"]["quartiles"])
    assert {one["feature"] for one in found["missing"]} >= {"avg_finality", "gap_median"}
