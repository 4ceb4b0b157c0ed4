"""Mahalanobis distance: how far a row is from the centre, in what columns do together."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from soc.detect.strangeness.rows import Matrix, Vector

LEAST = 1e-3
"""Directions with less than this share of the largest variance are taken to have so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mahalanobis:
    """Robust, as rows come scaled by medians and pressed: no row can pull the centre far."""

    name: ClassVar[str] = "mahalanobis"

    def fit(self, rows: Matrix, seed: int) -> "FittedMahalanobis":
        """Measure how columns vary together; there is nothing random in it."""
        del seed
        centre = rows.mean(axis=0)
        variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(rows.T)))
        variances = np.maximum(variances, LEAST * max(variances.max(), LEAST))
        precision = (axes / variances) @ axes.T
        return FittedMahalanobis(centre, precision, _parts(rows - centre, precision).sum(axis=1))


@dataclass(frozen=True, slots=True)
class FittedMahalanobis:
    """precision: the inverse of the covariance."""

    centre: Vector
    precision: Matrix
    usual: Vector

    def score(self, rows: Matrix) -> Vector:
        """Return squared distances."""
        told: Vector = _parts(rows - self.centre, self.precision).sum(axis=1)
        return told

    def blame(self, rows: Matrix) -> Matrix:
        """Return what each column adds to the squared distance."""
        return _parts(rows - self.centre, self.precision)


def _parts(away: Matrix, precision: Matrix) -> Matrix:
    return away * (away @ precision)
