"""LeSiNN: how far a row is from the nearest of a few random others, averaged over many draws.

Pang, Ting and Albrecht, "LeSiNN: Detecting Anomalies by Identifying Least Similar Nearest
Neighbours", 2015. Columns are scaled by median and interquartile range first.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

Matrix = npt.NDArray[np.float64]
SAMPLE = 16
DRAWS = 100
LEAST = 1e-9
"""A smaller spread is none: it would only blow up what is left of rounding."""


@dataclass(frozen=True)
class Scale:
    """What is usual in each column: its median, and how far the middle half spreads."""

    centre: Matrix
    spread: Matrix

    def apply(self, rows: Matrix) -> Matrix:
        """Return *rows* in units of spread around the centre."""
        return np.clip((rows - self.centre) / self.spread, -50.0, 50.0)


def scale_of(rows: Matrix) -> Scale:
    """Return what is usual in *rows*; a column that never varies has spread 1."""
    low, centre, high = np.percentile(rows, [25, 50, 75], axis=0)
    spread = high - low
    deviation = rows.std(axis=0)
    spread = np.where(spread > LEAST, spread, np.where(deviation > LEAST, deviation, 1.0))
    return Scale(centre, spread)


def distances(rows: Matrix, reference: Matrix, seed: int) -> Matrix:
    """Return for each of *rows* its mean distance to the nearest of 16 random *reference* rows.

    Both are scaled already. The same seed gives the same draws. A row is no neighbour of its own
    copy: in a draw that holds it, the next nearest counts.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros(len(rows))
    for _ in range(DRAWS):
        drawn = reference[rng.choice(len(reference), min(SAMPLE, len(reference)), replace=False)]
        total += cdist(rows, drawn).min(axis=1)
    return total / DRAWS
