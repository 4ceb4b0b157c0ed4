"""Look closer at the best model: is it calibrated, what does it look at, whom does it treat how."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from soc.incidents.kpis.statistics import Interval, wilson
from soc.intelligence.models import measure
from soc.intelligence.models.compare import Chosen, Comparison, predict
from soc.intelligence.models.measure import Figure
from soc.intelligence.models.task import Kind, Matrix

BINS = 10
SHUFFLES = 5
DRAWS = 200
"""Draws of users for each column's interval."""
FEW = 30
"""Of a smaller group an interval says more about its size than about the model."""


class Bin(NamedTuple):
    """Rows whose probability is alike: its mean, and what share came true."""

    n: int
    foretold: float
    came_true: float
    interval: Interval


class Weight(NamedTuple):
    """How much worse the leading figure gets when a column is shuffled among judged rows."""

    name: str
    loss: Figure


class Rate(NamedTuple):
    """A share of *n* rows; None where there are none."""

    n: int
    value: float | None
    interval: Interval | None


class Group(NamedTuple):
    """How the model treats some users.

    chosen: called yes. missed: of those that were yes, called no. accused: of those that were no,
    called yes. few: too few of them to say much.
    """

    name: str
    rows: int
    came_true: Rate
    chosen: Rate
    missed: Rate
    accused: Rate
    few: bool


def confusion(found: Comparison, name: str) -> dict[str, int]:
    """Return how many rows are true and false positives and negatives."""
    chosen, yes = found.forecast(name).chosen, found.y > 0
    return {
        "true_positive": int(np.sum(chosen & yes)),
        "false_positive": int(np.sum(chosen & ~yes)),
        "false_negative": int(np.sum(~chosen & yes)),
        "true_negative": int(np.sum(~chosen & ~yes)),
    }


def curve(found: Comparison, name: str) -> list[tuple[float, float]]:
    """Return the ROC curve: shares of no and of yes that are called yes, by falling threshold."""
    y, scores = found.y, found.forecast(name).scores
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    yes, no = np.cumsum(y[order])[ends], np.cumsum(1 - y[order])[ends]
    points = zip(no / max(no[-1], 1), yes / max(yes[-1], 1), strict=True)
    return [(0.0, 0.0), *((float(a), float(b)) for a, b in points)]


def calibration(found: Comparison, name: str) -> list[Bin]:
    """Return rows in up to ten bins of equal size, by rising probability."""
    y, scores = found.y, found.forecast(name).scores
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return [
        Bin(
            len(part),
            float(scores[part].mean()),
            float(y[part].mean()),
            wilson(int(y[part].sum()), len(part)),
        )
        for part in parts
    ]


def importance(found: Comparison, seed: int) -> list[Weight]:
    """Return the columns by how much the best model needs them, on rows it has not seen.

    L. Breiman, "Random Forests", 2001. Columns that say the same share it: each seems less needed.
    """
    rng = np.random.default_rng(seed)
    kept = _leading(found, found.forecast(found.best).scores)
    weights = []
    for place, name in enumerate(found.data.names):
        shuffled = [_leading(found, _shuffled(found, place, rng)) for _ in range(SHUFFLES)]
        weights.append(Weight(name, measure.figure(kept - np.mean(shuffled, axis=0))))
    return sorted(weights, key=lambda one: (-one.loss.value, one.name))


def groups(found: Comparison) -> list[Group]:
    """Return how the best model treats users of different kinds; for classes alone."""
    return [_group(found, name, rows) for name, rows in _kinds(found)]


def _kinds(found: Comparison) -> Iterator[tuple[str, Chosen]]:
    columns = dict(zip(found.data.names, found.data.X[found.judged].T, strict=True))
    suspicious = found.data.suspicious[found.judged]
    yield "suspected", suspicious
    yield "not suspected", ~suspicious
    for name, few, many in (
        ("tx_count", "one gift so far", "several gifts so far"),
        ("unique_rounds", "one round so far", "several rounds so far"),
    ):
        if name in columns:
            yield few, columns[name] <= 1
            yield many, columns[name] > 1
    if "total_amount" in columns:
        middle = np.median(columns["total_amount"])
        yield "gave less than the median", columns["total_amount"] < middle
        yield "gave the median or more", columns["total_amount"] >= middle


def _group(found: Comparison, name: str, rows: Chosen) -> Group:
    chosen, yes = found.forecast(found.best).chosen[rows], found.y[rows] > 0
    return Group(
        name=name,
        rows=len(yes),
        came_true=_rate(yes),
        chosen=_rate(chosen),
        missed=_rate(~chosen[yes]),
        accused=_rate(chosen[~yes]),
        few=len(yes) < FEW,
    )


def _rate(hits: Chosen) -> Rate:
    n = len(hits)
    return Rate(n, float(np.mean(hits)), wilson(int(hits.sum()), n)) if n else Rate(0, None, None)


def _shuffled(found: Comparison, place: int, rng: np.random.Generator) -> Matrix:
    """Return what the model of each fold says when column *place* is shuffled within its rows."""
    data, model = found.data, found.forecast(found.best)
    told = []
    for fold, fitted in zip(found.folds, model.fitted, strict=True):
        rows = data.X[fold.test].copy()
        rows[:, place] = rng.permutation(rows[:, place])
        told.append(predict(data.task.kind, fitted, rows))
    return np.concatenate(told)


def _leading(found: Comparison, scores: Matrix) -> Matrix:
    is_class = found.data.task.kind is Kind.CLASSIFICATION
    return measure.leading(found.y, scores, found.drawn[: DRAWS + 1], is_class=is_class)
