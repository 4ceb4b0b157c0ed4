"""What is usual in each column, and rows in units of it."""

from dataclasses import dataclass

import numpy as np

from soc.detect.strangeness.rows import Matrix, Vector

FAR = 3.0
"""Beyond so many deviations, distances grow with their logarithm: one column cannot drown all."""
TO_DEVIATION = 1.349
"""The middle half of a normal distribution is so many standard deviations wide."""
LEAST = 1e-3
"""A middle half narrower than this share of the standard deviation says nothing of the rest."""
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Centre and spread of each column; low and high bound its middle half.

    signed_log: columns are seen as sign(x)·log(1 + |x|) first, as what spans many orders needs.
    """

    signed_log: bool
    centre: Vector
    spread: Vector
    low: Vector
    high: Vector

    def apply(self, rows: Matrix) -> Matrix:
        """Return *rows* in deviations from the centre, pressed together beyond three."""
        away = (self.seen(rows) - self.centre) / self.spread
        size = np.abs(away)
        far = FAR + FAR * np.log(np.maximum(size, FAR) / FAR)
        return np.where(size < FAR, away, np.sign(away) * far)

    def seen(self, rows: Matrix) -> Matrix:
        """Return *rows* as they are compared: themselves, or their signed logarithms."""
        return signed_log(rows) if self.signed_log else rows


def signed_log(rows: Matrix) -> Matrix:
    """Return sign(x)·log(1 + |x|): orders of size, on both sides of nothing."""
    return np.sign(rows) * np.log1p(np.abs(rows))


def scale_of(rows: Matrix, *, by_size: bool = False) -> Scale:
    """Return what is usual in *rows*; by_size: in their signed logarithms.

    A column that never varies is measured in its own size, or in ones if it is always zero.
    """
    seen = signed_log(rows) if by_size else rows
    low, centre, high = np.percentile(seen, [25, 50, 75], axis=0)
    half, deviation = (high - low) / TO_DEVIATION, seen.std(axis=0)
    spread = np.where(half > LEAST * deviation, half, deviation)
    size = np.abs(centre)
    still = spread <= ROUNDING * np.maximum(size, np.abs(seen).max(axis=0))
    spread = np.where(still, np.where(size > 0, size, 1.0), spread)
    low, high = np.percentile(rows, [25, 75], axis=0)
    return Scale(signed_log=by_size, centre=centre, spread=spread, low=low, high=high)
