"""Figures are those that others compute, for the rows as they are and for every draw of users."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from soc.intelligence.holm import holm
from soc.intelligence.models import measure

ROWS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])), min_size=4, max_size=60
).filter(lambda rows: 0 < sum(yes for yes, _ in rows) < len(rows))


@settings(max_examples=60)
@given(ROWS)
def test_figures_of_classes_are_those_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    y, scores = np.array(rows, dtype=float).T
    chosen = scores >= 0.5
    found = measure.classified(y, scores, chosen, np.ones((1, len(y))))
    told = {
        "accuracy": metrics.accuracy_score(y, chosen),
        "recall": metrics.recall_score(y, chosen),
        "f1": metrics.f1_score(y, chosen),
        "ap": metrics.average_precision_score(y, scores),
        "auc": metrics.roc_auc_score(y, scores),
        "brier": metrics.brier_score_loss(y, scores),
    }
    if chosen.any():
        told["precision"] = metrics.precision_score(y, chosen)

    assert {name: found[name][0] for name in told} == pytest.approx(told)
    assert chosen.any() or np.isnan(found["precision"][0])


@settings(max_examples=30)
@given(ROWS, st.randoms(use_true_random=False))
def test_a_weight_counts_like_so_many_rows(rows: list[tuple[bool, float]], random: object) -> None:
    y, scores = np.array(rows, dtype=float).T
    often = np.array([random.randint(0, 3) for _ in rows])  # type: ignore[attr-defined]
    if len(np.unique(np.repeat(y, often))) < 2:
        return
    weighted = measure.classified(y, scores, scores >= 0.5, often[None].astype(float))
    y, scores = np.repeat(y, often), np.repeat(scores, often)
    repeated = measure.classified(y, scores, scores >= 0.5, np.ones((1, len(y))))

    for name, values in repeated.items():
        assert weighted[name] == pytest.approx(values, nan_ok=True), name
    amounts = measure.regressed(scores, y, np.ones((1, len(y))))
    assert amounts["mae"][0] == pytest.approx(metrics.mean_absolute_error(scores, y))
    assert amounts["rmse"][0] == pytest.approx(metrics.root_mean_squared_error(scores, y))


def test_draws_are_of_users_and_the_first_is_the_rows_as_they_are() -> None:
    users = np.array(["a", "a", "b", "c", "c", "c"])
    drawn = measure.weights(users, 5)

    assert drawn.shape == (measure.DRAWS + 1, 6)
    assert (drawn[0] == 1).all()
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 3] == drawn[:, 5]).all()
    assert (drawn[1:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert np.array_equal(drawn, measure.weights(users, 5))


def test_an_interval_of_draws_holds_what_it_should() -> None:
    """Of 200 samples of a known mean, about 95 % have it between the ends."""
    rng, hits = np.random.default_rng(3), 0
    for seed in range(200):
        values = rng.exponential(2, 120)
        drawn = measure.weights(np.arange(120).astype(str), seed)
        found = measure.figure(drawn @ values / drawn.sum(axis=1))
        hits += found.low <= 2 <= found.high

    assert 178 <= hits <= 199


@pytest.mark.parametrize(
    ("given_", "adjusted"),
    [
        pytest.param([0.01, 0.04, 0.03], [0.03, 0.06, 0.06], id="in any order"),
        pytest.param([0.5, 0.9], [1.0, 1.0], id="never above one"),
        pytest.param([0.02], [0.02], id="one alone"),
        pytest.param([], [], id="none"),
    ],
)
def test_holm_is_as_published(given_: list[float], adjusted: list[float]) -> None:
    assert holm(given_) == pytest.approx(adjusted)


def test_mcnemar_looks_only_at_rows_that_one_got_right() -> None:
    right = np.array([True] * 8 + [False] * 2 + [True] * 50)
    other = np.array([False] * 8 + [True] * 2 + [True] * 50)

    assert measure.mcnemar(right, other) == pytest.approx(0.109375)
    assert measure.mcnemar(right, right) == 1.0
