"""The benchmark of anomaly models grades honestly: nothing is chosen where it is measured."""

import numpy as np
import pytest

from benchmarks.anomaly import GRID, Grade, ap_alone, best, both, chosen_elsewhere, interval, mean

HERE, THERE = GRID[:2]


def test_the_option_of_a_set_is_chosen_on_the_others() -> None:
    graded = {
        "a": {HERE: Grade(1.0, 1.0), THERE: Grade(0.0, 0.0)},
        "b": {HERE: Grade(0.2, 0.5), THERE: Grade(0.4, 0.5)},
        "c": {HERE: Grade(0.2, 0.5), THERE: Grade(0.4, 0.5)},
    }

    found = chosen_elsewhere(graded, both)

    assert found == {
        "a": (THERE, Grade(0.0, 0.0)),
        "b": (HERE, Grade(0.2, 0.5)),
        "c": (HERE, Grade(0.2, 0.5)),
    }


def test_what_is_best_is_asked_of_the_measure_that_counts() -> None:
    graded = {"a": {HERE: Grade(0.5, 0.5), THERE: Grade(0.4, 0.9)}}

    assert best(graded, ["a"], ap_alone) == HERE
    assert best(graded, ["a"], both) == THERE


def test_means_are_of_each_measure() -> None:
    assert mean([Grade(0.1, 0.4), Grade(0.3, 0.8)]).pair == pytest.approx((0.2, 0.6))


def test_the_interval_holds_the_mean_and_narrows_with_more_sets() -> None:
    few = np.random.default_rng(1).normal(0.1, 0.2, 10)
    low, high = interval(few)
    narrow = interval(np.tile(few, 20))

    assert low < few.mean() < high
    assert narrow[1] - narrow[0] < (high - low) / 3
