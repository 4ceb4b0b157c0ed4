"""Models are judged on what they cannot have seen, and what looks too good is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.errors import Refused, Unfit
from soc.intelligence.features.definitions import FEATURES
from soc.intelligence.models import catalog
from soc.intelligence.models.card import card
from soc.intelligence.models.compare import Comparison, best_threshold, compare, predict
from soc.intelligence.models.folds import Fold, folds
from soc.intelligence.models.leakage import leaks, refuse
from soc.intelligence.models.task import Data, Kind, check, dataset, moments_of, task_of
from tests.intelligence.people import WINDOW, people

LEFT_OUT = {"suspicious_ratio", "rare_project_share"}
SOME = tuple(one for one in FEATURES if one.name not in LEFT_OUT)
QUICK = ("ridge", "knn")


@cache
def data(name: str = "returns", *, signal: bool = True) -> Data:
    view = people(signal=signal)
    task = task_of(name, WINDOW, 30.0 if name == "high-value" else 0.0)
    return dataset(view, task, moments_of(view, task, 5), features=SOME)


@cache
def found(name: str = "returns", *, signal: bool = True) -> Comparison:
    return compare(data(name, signal=signal), 1, QUICK)


def column(rows: Data, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rows.X[:, rows.names.index(name)]


def test_rows_to_learn_from_are_over_and_of_other_users() -> None:
    rows = data()
    split = folds(rows, tested=2)
    judged = np.concatenate([fold.test for fold in split])

    assert sorted(judged) == sorted(np.flatnonzero(rows.moments >= np.unique(rows.moments)[-2]))
    assert len(set(judged.tolist())) == len(judged)
    for fold in split:
        assert not set(rows.wallets[fold.train]) & set(rows.wallets[fold.test])
        over = rows.moments[fold.train] + WINDOW / timedelta(microseconds=1)
        assert over.max() <= rows.moments[fold.test].min()


def test_the_target_is_what_was_given_in_the_window_after_the_moment() -> None:
    rows = data("lifetime-value")
    table = people().transactions.to_pylist()
    span = WINDOW // timedelta(microseconds=1)
    for place in range(0, len(rows), 37):
        begin, wallet = int(rows.moments[place]), rows.wallets[place]
        made = [
            (one["made"].timestamp() * 1e6, float(one["amount"]))
            for one in table
            if one["wallet"] == wallet
        ]
        assert rows.y[place] == sum(a for at, a in made if begin <= at < begin + span)
        assert rows.last[place] == sum(a for at, a in made if begin - span <= at < begin)


def test_honest_rows_leak_nothing() -> None:
    for name in ("returns", "lifetime-value"):
        assert leaks(data(name), folds(data(name))) == []


def seeds_own(rows: Data) -> Data:
    total = column(rows, "total_amount")
    return replace(rows, y=(total >= np.quantile(total, 0.75)).astype(np.float64))


def hidden(rows: Data) -> Data:
    few = column(rows, "tx_count") > np.median(column(rows, "tx_count"))
    late = column(rows, "days_since_activity") > np.median(column(rows, "days_since_activity"))
    return replace(rows, y=(few ^ late).astype(np.float64))


def scaled(rows: Data) -> Data:
    means, spreads = np.nanmean(rows.X, axis=0), np.nanstd(rows.X, axis=0)
    return replace(rows, X=(rows.X - means) / spreads)


def summed(rows: Data) -> Data:
    amounts = replace(rows, task=replace(rows.task, kind=Kind.REGRESSION))
    return replace(amounts, y=column(rows, "total_amount") * 3 + 1)


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        pytest.param(seeds_own, "alone", "total_amount", id="the seed's own target"),
        pytest.param(hidden, "computed", "tx_count", id="two features together"),
        pytest.param(summed, "alone", "total_amount", id="an amount from an amount"),
        pytest.param(scaled, "scaled", "mean 0 and spread 1", id="scaled before the split"),
    ],
)
def test_a_target_that_leaks_is_refused_with_the_reason(
    change: Callable[[Data], Data], kind: str, said: str
) -> None:
    rows = change(data())

    assert kind in {leak.kind for leak in leaks(rows, folds(data()))}
    with pytest.raises(Unfit, match=said):
        compare(rows, 1, QUICK)


def test_splits_that_leak_are_told_by_kind() -> None:
    rows = data()
    last = np.flatnonzero(rows.moments == rows.moments.max())
    before = np.flatnonzero(rows.moments < rows.moments.max())
    copied = replace(rows, X=rows.X.copy(), y=rows.y.copy())
    copied.X[last[:9]], copied.y[last[:9]] = rows.X[before[:9]], rows.y[before[:9]]

    def kinds(some: Data, train: object, test: object) -> set[str]:
        return {leak.kind for leak in leaks(some, [Fold(train, test)])}  # type: ignore[arg-type]

    assert kinds(rows, before, last) == {"same user"}
    assert kinds(copied, before, last) == {"same user", "twins"}
    assert kinds(rows, last, before) == {"same user", "future"}
    refuse([])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda d: _first(d, 60), "too few rows: 60; at least 100", id="few"),
        pytest.param(
            lambda d: replace(d, y=np.ones(len(d))),
            r"\d+ rows are yes and 0 are no",
            id="one class",
        ),
        pytest.param(
            lambda d: replace(d, X=np.where(d.X[:, :1] == d.X, 7.0, d.X)[:, :1].repeat(18, 1) * 0),
            "constant columns: total_amount",
            id="constant",
        ),
        pytest.param(
            lambda d: replace(d, X=np.where(d.X[3, 0] == d.X, np.inf, d.X)),
            "infinite values in total_amount",
            id="infinite",
        ),
        pytest.param(
            lambda d: replace(d, y=np.r_[np.nan, d.y[1:]]), "1 values that are no number", id="NaN"
        ),
        pytest.param(
            lambda d: replace(d, wallets=np.r_[d.wallets[1:2], d.wallets[1:]]),
            "duplicate ids: 1 rows",
            id="twice",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_counts(
    change: Callable[[Data], Data], said: str
) -> None:
    with pytest.raises(Unfit, match=said):
        check(change(data()))


def _first(rows: Data, number: int) -> Data:
    parts = ("X", "y", "last", "wallets", "moments", "suspicious")
    return replace(rows, **{name: getattr(rows, name)[:number] for name in parts})


@pytest.mark.parametrize(
    ("name", "window", "above", "said"),
    [
        ("value", WINDOW, 0, "--task: write one of lifetime-value, returns, high-value"),
        ("returns", timedelta(0), 0, "--window"),
        ("high-value", WINDOW, 0, "--above"),
    ],
)
def test_a_question_that_means_nothing_is_refused(
    name: str, window: timedelta, above: float, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        task_of(name, window, above)


def test_a_history_that_is_too_short_says_what_would_do() -> None:
    view, task = people(), task_of("returns", timedelta(hours=20), 0)

    with pytest.raises(Unfit, match="5 moments a window of 20h apart need more than 5 windows"):
        moments_of(view, task, 5)
    with pytest.raises(Refused, match="3 to 24"):
        moments_of(view, task, 2)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("name", list(catalog.MAKERS))
def test_every_model_learns_the_same_from_the_same(name: str, kind: Kind) -> None:
    rows = _first(data("returns" if kind is Kind.CLASSIFICATION else "lifetime-value"), 160)
    told = [
        predict(kind, catalog.make(name, kind, 3).fit(rows.X, rows.y), rows.X) for _ in range(2)
    ]

    assert np.isfinite(told[0]).all()
    assert np.array_equal(told[0], told[1])
    assert len(np.unique(told[0])) > 2
    assert kind is Kind.REGRESSION or ((told[0] >= 0) & (told[0] <= 1)).all()


def test_a_model_is_better_only_where_there_is_something_to_learn() -> None:
    told, none = found(), found(signal=False)

    assert told.is_better
    assert "better than what needs no model" in card(told, 1, 1, "0")["conclusion"]
    assert not none.is_better
    assert card(none, 1, 1, "0")["conclusion"].startswith("No model foretells it better")


def test_the_baselines_are_the_majority_and_what_was_before() -> None:
    told, rows = found(), data()
    last, usual = told.forecast("last value"), told.forecast("majority")

    assert np.array_equal(last.chosen, rows.last[told.judged] > 0)
    assert len(set(usual.scores.tolist())) <= len(told.folds)
    assert {one.other for one in told.contrasts} >= {told.baseline}
    assert all(one.adjusted >= one.p for one in told.contrasts)


def test_a_card_has_what_is_needed_to_doubt_it() -> None:
    told = card(found(), 1, 3, "0.1")
    best = next(one for one in told["models"] if one["name"] == told["best"])

    assert {"accuracy", "precision", "recall", "f1", "ap", "auc", "brier"} == set(best["figures"])
    assert sum(best["confusion"].values()) == told["rows"]["judged"]
    assert sum(one["n"] for one in told["calibration"]) == told["rows"]["judged"]
    assert [one["name"] for one in told["importance"]] != []
    assert {one["name"] for one in told["importance"]} == {one.name for one in SOME}
    suspected, others = told["groups"][:2]
    assert suspected["rows"] + others["rows"] == told["rows"]["judged"]
    assert told["roc"][told["best"]][-1] == [1.0, 1.0]
    assert (told["view"], told["code"], told["seed"]) == (3, "0.1", 1)
    assert len(told["assumptions"]) > 3
    assert best["latency_p95_ms"] > 0


def test_a_card_of_amounts_has_no_figures_of_classes() -> None:
    told = card(found("lifetime-value"), 1, 1, "0")

    assert {"mae", "rmse", "r2"} == set(told["models"][0]["figures"])
    assert not {"roc", "groups", "calibration"} & set(told)
    assert told["leading"] == "mae"


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.4, 0.5, 0.9])), min_size=2).filter(
        lambda rows: 0 < sum(yes for yes, _ in rows) < len(rows)
    )
)
def test_no_other_threshold_has_a_higher_f1(rows: list[tuple[bool, float]]) -> None:
    y = np.array([float(yes) for yes, _ in rows])
    scores = np.array([score for _, score in rows])

    def f1(threshold: float) -> float:
        chosen = scores >= threshold
        return float(2 * (y @ chosen) / (chosen.sum() + y.sum()))

    assert f1(best_threshold(y, scores)) == max(f1(score) for score in np.unique(scores))
