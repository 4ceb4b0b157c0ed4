"""How well scores put what is strange first: average precision, and area under the ROC curve."""

import numpy as np
import numpy.typing as npt

from soc.detect.strangeness.rows import Vector
from soc.errors import Refused

Labels = npt.NDArray[np.int8]
"""1 strange, 0 usual."""


def check_both(labels: Labels, what: str) -> None:
    """Raise Refused, with counts, unless there are both kinds."""
    strange = int(labels.sum())
    if strange in {0, len(labels)}:
        usual = len(labels) - strange
        raise Refused(
            f"{what}: {strange} are 1 (strange) and {usual} are 0 (usual): both kinds are needed"
        )


def average_precision(labels: Labels, scores: Vector) -> float:
    """Return the mean precision at each strange row, equal scores taken together."""
    strange, all_of = _counts(labels, scores)
    gained = np.diff(strange, prepend=0)
    return float((gained * strange / all_of).sum() / strange[-1])


def roc_area(labels: Labels, scores: Vector) -> float:
    """Return how often a strange row scores above a usual one; equal scores count half."""
    strange, all_of = _counts(labels, scores)
    usual = all_of - strange
    wide = np.diff(usual, prepend=0)
    high = (strange + np.concatenate([[0], strange[:-1]])) / 2
    return float((wide * high).sum() / (strange[-1] * usual[-1]))


def _counts(labels: Labels, scores: Vector) -> tuple[Vector, Vector]:
    """Return, for each score from the highest down, how many strange rows and rows reach it."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    return np.cumsum(labels[order], dtype=np.float64)[ends], ends + 1.0
