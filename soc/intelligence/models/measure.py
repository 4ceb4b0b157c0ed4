"""Figures of forecasts, each for the rows as they are and for many draws of users at once.

An interval comes from drawing users, not rows, with replacement: rows of one user say the same
thing more than once. A draw is a weight per row; all figures of all draws are array arithmetic.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soc.intelligence.models.task import Matrix

DRAWS, FEWEST_DRAWS = 1_000, 200
MOST_WEIGHTS = 20_000_000
"""Of many rows fewer draws are made, so that they fit into memory."""
LEVELS = (2.5, 97.5)


class Figure(NamedTuple):
    """A figure and where it lies at 95 % confidence."""

    value: float
    low: float
    high: float


def weights(users: npt.NDArray[np.str_], seed: int) -> Matrix:
    """Return a row of weights for the rows as they are, then one for each draw of users."""
    draws = max(FEWEST_DRAWS, min(DRAWS, MOST_WEIGHTS // len(users)))
    _, place = np.unique(users, return_inverse=True)
    number = int(place.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=draws)
    return np.vstack([np.ones(len(users)), drawn[:, place].astype(np.float64)])


def classified(
    y: Matrix, scores: Matrix, chosen: npt.NDArray[np.bool_], drawn: Matrix
) -> dict[str, Matrix]:
    """Return each figure of a classification for each row of *drawn*.

    y: 0 or 1. scores: probabilities of 1. chosen: rows that are called 1.
    """
    yes, no = drawn * y, drawn * (1 - y)
    hit, wrong = (yes @ chosen), (no @ chosen)
    total, positives = drawn.sum(axis=1), yes.sum(axis=1)
    precision = _part(hit, hit + wrong)
    recall = _part(hit, positives)
    return {
        "accuracy": (hit + no.sum(axis=1) - wrong) / total,
        "precision": precision,
        "recall": recall,
        "f1": _part(2 * hit, hit + wrong + positives),
        **_ranked(y, scores, drawn),
        "brier": drawn @ (scores - y) ** 2 / total,
    }


def regressed(y: Matrix, found: Matrix, drawn: Matrix) -> dict[str, Matrix]:
    """Return each figure of a regression for each row of *drawn*."""
    total = drawn.sum(axis=1)
    mean = drawn @ y / total
    error = drawn @ (found - y) ** 2 / total
    spread = drawn @ y**2 / total - mean**2
    return {
        "mae": drawn @ np.abs(found - y) / total,
        "rmse": np.sqrt(error),
        "r2": 1 - np.divide(error, spread, out=np.full_like(error, np.nan), where=spread > 0),
    }


def figures(drawn: Mapping[str, Matrix]) -> dict[str, Figure]:
    """Return each figure with its interval; NaN where it has no answer."""
    return {name: figure(values) for name, values in drawn.items()}


def figure(values: Matrix) -> Figure:
    """Return the first of *values*, and where the rest, its draws, lie."""
    rest = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(rest, LEVELS) if len(rest) else (np.nan, np.nan)
    return Figure(float(values[0]), float(low), float(high))


def leading(y: Matrix, found: Matrix, drawn: Matrix, *, is_class: bool) -> Matrix:
    """Return the figure that decides, higher is better: average precision, or minus the error."""
    if is_class:
        return _ranked(y, found, drawn)["ap"]
    return -regressed(y, found, drawn)["mae"]


def two_sided(differences: Matrix) -> float:
    """Return how often draws say the opposite of the difference, on both sides."""
    draws = differences[1:]
    below, above = np.sum(draws <= 0), np.sum(draws >= 0)
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(draws) + 1)))


def mcnemar(right: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Return the exact p that two forecasts are right equally often on the same rows.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947;
    only rows count on which one is right and the other wrong, and of these half are either's.
    """
    from scipy.stats import binomtest  # heavy: only where models are made

    ours, theirs = int(np.sum(right & ~other)), int(np.sum(other & ~right))
    return float(binomtest(ours, ours + theirs).pvalue) if ours + theirs else 1.0


def _ranked(y: Matrix, scores: Matrix, drawn: Matrix) -> dict[str, Matrix]:
    """Return AUC, and average precision: over all thresholds, precision times new recall."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    yes = np.add.reduceat((drawn * y)[:, order], starts, axis=1)
    no = np.add.reduceat((drawn * (1 - y))[:, order], starts, axis=1)
    above_yes, above_no = np.cumsum(yes, axis=1), np.cumsum(no, axis=1)
    positives, negatives = above_yes[:, -1], above_no[:, -1]
    precision = _part(above_yes, above_yes + above_no)
    return {
        "ap": _part(np.nansum(yes * precision, axis=1), positives),
        "auc": _part(
            np.sum(yes * (negatives[:, None] - above_no + no / 2), axis=1), positives * negatives
        ),
    }


def _part(part: Matrix, whole: Matrix) -> Matrix:
    """Return *part* / *whole*, NaN where there is no whole."""
    found: Matrix = np.full(part.shape, np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
