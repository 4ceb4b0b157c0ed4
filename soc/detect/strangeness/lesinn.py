"""LeSiNN: how far a row is from the nearest of a few random others, averaged over many draws.

Pang, Ting and Albrecht, "LeSiNN: Detecting Anomalies by Identifying Least Similar Nearest
Neighbours", 2015. Ours may look twice: the strangest share of the reference is left out of the
second draws, so that anomalies there are no neighbours of others.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from soc.detect.strangeness.rows import Matrix, Vector

Single = npt.NDArray[np.float32]
Index = npt.NDArray[np.intp]
BLOCK = 1024
"""Rows at a time: their distances stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesinn:
    """sample: rows of a draw. trim: the share that is left out of the second draws; 0: no second.

    The defaults are those of the paper; a profile may have others.
    """

    name: ClassVar[str] = "lesinn"
    sample: int = 8
    draws: int = 100
    trim: float = 0.0

    def fit(self, rows: Matrix, seed: int) -> "FittedLesinn":
        """Draw from *rows*; where a share is trimmed, draw again from the others."""
        rng = np.random.default_rng(seed)
        first = self._drawn(rows, np.arange(len(rows)), rng)
        if self.trim <= 0:
            return first
        usual = np.flatnonzero(first.usual <= np.quantile(first.usual, 1 - self.trim))
        return self._drawn(rows, usual, rng)

    def _drawn(self, rows: Matrix, pool: Index, rng: np.random.Generator) -> "FittedLesinn":
        size = min(self.sample, len(pool))
        drawn = np.stack(
            [pool[rng.choice(len(pool), size, replace=False)] for _ in range(self.draws)], axis=1
        )
        centres = weights_of(rows[drawn])
        return FittedLesinn(centres, _usual(rows, drawn, centres))


@dataclass(frozen=True, slots=True)
class FittedLesinn:
    """centres: what ``weights_of`` made of the drawn rows."""

    centres: Single
    usual: Vector

    def score(self, rows: Matrix) -> Vector:
        """Return mean distances to the nearest row of each draw."""
        told = np.empty(len(rows))
        for begin in range(0, len(rows), BLOCK):
            told[begin : begin + BLOCK] = nearest(rows[begin : begin + BLOCK], self.centres).mean(1)
        return told

    def blame(self, rows: Matrix) -> Matrix:
        """Return how far each column is from its centre."""
        return np.abs(rows)


def weights_of(drawn: Matrix) -> Single:
    """Return, per place in a draw, the matrix that turns rows and a 1 into |c|² - 2·x·c."""
    sample, draws, columns = drawn.shape
    made = np.empty((sample, columns + 1, draws), np.float32)
    made[:, :columns] = -2 * drawn.transpose(0, 2, 1)
    made[:, columns] = (drawn * drawn).sum(axis=2)
    return made


def nearest(rows: Matrix, centres: Single) -> Single:
    """Return the distance of each row to the nearest of each draw.

    Single precision, one product per place in a draw: a million rows of 20 columns take a second.
    """
    columns = rows.shape[1]
    with_one = np.ones((len(rows), columns + 1), np.float32)
    with_one[:, :columns] = rows
    best, other = with_one @ centres[0], np.empty((len(rows), centres.shape[2]), np.float32)
    for place in centres[1:]:
        np.matmul(with_one, place, out=other)
        np.minimum(best, other, out=best)
    best += np.einsum("ij,ij->i", with_one[:, :columns], with_one[:, :columns])[:, None]
    np.maximum(best, 0, out=best)
    found: Single = np.sqrt(best, out=best)
    return found


def _usual(rows: Matrix, drawn: Index, centres: Single) -> Vector:
    """Return scores of the reference by the draws that a row is not in: it is its own nearest."""
    draws = centres.shape[2]
    away = np.concatenate(
        [nearest(rows[at : at + BLOCK], centres) for at in range(0, len(rows), BLOCK)]
    )
    away[drawn, np.arange(draws)[None, :]] = 0
    others = draws - np.bincount(drawn.ravel(), minlength=len(rows))
    told: Vector = away.sum(axis=1, dtype=np.float64) / np.maximum(others, 1)
    return told
