"""Local outlier factor: how much thinner it is around a row than around its neighbours.

Breunig and others, 2000. Fitted on a past window, it scores a later one. An option, and in no
default: where anomalies come in groups it takes them for a dense neighbourhood.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from soc.detect.strangeness.learned import Learned
from soc.detect.strangeness.rows import Matrix, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Lof:
    """neighbours: how many rows of the reference a row is compared with."""

    name: ClassVar[str] = "lof"
    neighbours: int = 20

    def fit(self, rows: Matrix, seed: int) -> Learned:
        """Remember *rows*; there is nothing random, so *seed* changes nothing."""
        from sklearn.neighbors import LocalOutlierFactor  # defers scikit-learn

        del seed
        model = LocalOutlierFactor(n_neighbors=min(self.neighbours, len(rows) - 1), novelty=True)
        model.fit(rows)
        return Learned(model, _scored, _pressed(-model.negative_outlier_factor_))


def _scored(model: Any, rows: Matrix) -> Vector:  # noqa: ANN401 - scikit-learn has no types
    """Return the logarithm of the factor: 0 where it is as dense as around the neighbours."""
    return _pressed(-model.score_samples(rows))


def _pressed(factors: Vector) -> Vector:
    """Return logarithms: among equal rows a factor can be a billion."""
    pressed: Vector = np.log(np.maximum(factors, 1e-12))
    return pressed
