"""Precision and area, verdicts and drift: what is said, and what is not said from too little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from soc.detect.strangeness.drift import Level, drift
from soc.detect.strangeness.measure import average_precision, roc_area
from soc.detect.strangeness.verdicts import NEEDED, weigh
from soc.errors import Refused

SAID = st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=2, max_size=40)
HALVES = (1.0, 1.0)


@given(SAID.filter(lambda said: len({label for label, _ in said}) == 2))
def test_measures_are_those_of_scikit_learn_ties_included(said: list[tuple[int, int]]) -> None:
    labels, scores = np.array(said).T
    labels = labels.astype(np.int8)

    assert average_precision(labels, scores / 2) == pytest.approx(
        average_precision_score(labels, scores)
    )
    assert roc_area(labels, scores / 2) == pytest.approx(roc_auc_score(labels, scores))


def told(many: int, strange: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what two members say of rows, and labels that the first knows and the second not."""
    labels = (np.arange(many) < strange).astype(np.int8)
    noise = np.random.default_rng(4).normal(size=(many, 2))
    noise[:, 0] += 4 * labels
    return noise * [0.2, 3.0], labels


def test_verdicts_weigh_the_member_that_knows() -> None:
    voices, labels = told(60, 20)

    found = weigh(voices, labels, HALVES, seed=1)

    assert found.chosen is not None
    assert found.chosen[0] > found.chosen[1]
    assert sum(found.chosen) == pytest.approx(2)
    assert found.after > found.before


def test_fewer_than_twenty_verdicts_choose_nothing_and_say_how_many_are_needed() -> None:
    found = weigh(*told(NEEDED - 1, 8), HALVES, seed=1)

    assert (found.chosen, found.verdicts, found.needed) == (None, 19, 20)
    assert found.why.startswith("19 of 20 verdicts")


def test_verdicts_of_almost_one_kind_choose_nothing() -> None:
    found = weigh(*told(40, 3), HALVES, seed=1)

    assert found.chosen is None
    assert found.why.startswith("3 strange and 37 usual: at least 4 of each")


@pytest.mark.parametrize("strange", [0, 30])
def test_verdicts_of_one_kind_are_refused_with_counts(strange: int) -> None:
    with pytest.raises(Refused, match=f"{strange} are 1 .* and {30 - strange} are 0"):
        weigh(*told(30, strange), HALVES, seed=1)


def test_verdicts_on_noise_do_not_flatter_themselves() -> None:
    rng = np.random.default_rng(0)
    gains = []
    for seed in range(40):
        found = weigh(rng.normal(size=(24, 4)), rng.permutation(24) < 12, (1.0,) * 4, seed)
        gains.append(found.after - found.before)

    assert abs(np.mean(gains)) < 0.05


def moved(now: np.ndarray, reference: np.ndarray) -> Level:
    return drift(now[:, None], reference[:, None], ("x",))[0].level


@pytest.mark.parametrize(
    ("shift", "level"), [(0.0, Level.NONE), (0.4, Level.SOME), (1.5, Level.MUCH)]
)
def test_drift_is_told_by_how_far_a_column_has_moved(shift: float, level: Level) -> None:
    rng = np.random.default_rng(2)

    assert moved(rng.normal(size=4000) + shift, rng.normal(size=4000)) is level


@pytest.mark.parametrize("many", [20, 60, 400])
def test_few_rows_do_not_drift_by_chance(many: int) -> None:
    rng = np.random.default_rng(3)
    reference = rng.normal(size=2000)

    levels = [moved(rng.normal(size=many), reference) for _ in range(300)]

    assert levels.count(Level.NONE) >= 295


def test_drift_names_the_column_and_how_many_rows_say_so() -> None:
    rng = np.random.default_rng(4)
    now, before = rng.normal([0, 3], size=(500, 2)), rng.normal(size=(900, 2))

    same, other = drift(now, before, ("calm", "moved"))

    assert (same.column, same.level, other.column, other.level) == (
        "calm",
        Level.NONE,
        "moved",
        Level.MUCH,
    )
    assert (other.rows, other.reference) == (500, 900)


def test_a_column_of_two_values_drifts_when_their_shares_do() -> None:
    reference = (np.arange(1000) < 100).astype(float)

    assert moved((np.arange(1000) < 110).astype(float), reference) is Level.NONE
    assert moved((np.arange(1000) < 500).astype(float), reference) is Level.MUCH
