"""One-class SVM: how far a row is outside a smooth border around the reference.

Schölkopf and others, 2001. An option, and in no default: it is slow, and far outside its border
all rows look alike.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from soc.detect.strangeness.learned import Learned
from soc.detect.strangeness.rows import Matrix, Vector

MOST = 2_000
"""Rows it learns from, of more a random part: its time grows with their square."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneClass:
    """outside: the share of the reference that may lie outside the border."""

    name: ClassVar[str] = "one-class-svm"
    outside: float = 0.1

    def fit(self, rows: Matrix, seed: int) -> Learned:
        """Draw the border."""
        from sklearn.svm import OneClassSVM  # defers scikit-learn

        rng = np.random.default_rng(seed)
        some = rows[rng.choice(len(rows), min(MOST, len(rows)), replace=False)]
        model = OneClassSVM(nu=self.outside, gamma="scale").fit(some)
        return Learned(model, _scored, _scored(model, rows))


def _scored(model: Any, rows: Matrix) -> Vector:  # noqa: ANN401 - scikit-learn has no types
    """Return the distance to the border: above 0 outside."""
    scored: Vector = -model.decision_function(rows)
    return scored
