"""What a model of scikit-learn learned: it judges rows as a whole, and blames no column."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from soc.detect.strangeness.rows import Matrix, Vector

Scored = Callable[[Any, Matrix], Vector]
"""Returns how strange a model of scikit-learn, which has no types, finds each row."""


@dataclass(frozen=True, slots=True)
class Learned:
    """model: scikit-learn's. scored: what its answers mean here."""

    model: Any
    scored: Scored
    usual: Vector

    def score(self, rows: Matrix) -> Vector:
        """Return how strange each row is."""
        return self.scored(self.model, rows)

    def blame(self, rows: Matrix) -> Matrix:
        """Return how far each column is from its centre: the model itself names no column."""
        return np.abs(rows)
