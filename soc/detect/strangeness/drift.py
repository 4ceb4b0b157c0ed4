"""Has what is usual moved? Per column, the population stability index against the reference.

0.1 and 0.25 are the customary bounds for "some" and "much". Few rows look moved by chance: what
chance alone reaches once in a thousand is reckoned from both sizes, and below it nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from soc.detect.strangeness.rows import Matrix, Vector

PARTS = 10
SOME, MUCH = 0.1, 0.25
BY_CHANCE = 0.999
HALF = 0.5
"""Rows that each part has more than there are: a part without any would drown all others."""


class Level(StrEnum):
    """How far a column has moved."""

    NONE = "none"
    SOME = "some"
    MUCH = "much"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """index: the stability index of one column. chance: what it needs to be more than chance."""

    column: str
    index: float
    chance: float
    rows: int
    reference: int
    level: Level


def drift(rows: Matrix, reference: Matrix, columns: Sequence[str]) -> tuple[Drift, ...]:
    """Return how far each column of *rows* has moved from *reference*."""
    from scipy.stats import chi2  # defers scipy.stats: half a second of imports

    told = []
    for place, column in enumerate(columns):
        before, now = _shares(reference[:, place], rows[:, place])
        index = float(((now - before) * np.log(now / before)).sum())
        freedom = max(1, len(before) - 1)
        chance = float(chi2.ppf(BY_CHANCE, freedom)) * (1 / len(rows) + 1 / len(reference))
        told.append(
            Drift(
                column=column,
                index=index,
                chance=chance,
                rows=len(rows),
                reference=len(reference),
                level=level_of(index, chance),
            )
        )
    return tuple(told)


def level_of(index: float, chance: float) -> Level:
    """Return what *index* means where chance alone may reach *chance*."""
    if index <= max(SOME, chance):
        return Level.NONE
    return Level.SOME if index <= MUCH else Level.MUCH


def _shares(reference: Vector, rows: Vector) -> tuple[Vector, Vector]:
    """Return the share of each that lies in each tenth of *reference*.

    A column of few values has fewer parts: equal values are never split.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, PARTS + 1)[1:-1]))
    parts = len(edges) + 1
    counts = [
        np.bincount(np.searchsorted(edges, each, side="left"), minlength=parts)
        for each in (reference, rows)
    ]
    before, now = ((count + HALF) / (count.sum() + HALF * parts) for count in counts)
    return before, now
