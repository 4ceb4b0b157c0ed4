"""Isolation forest: how few random cuts set a row apart (Liu, Ting and Zhou, 2008)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from soc.detect.strangeness.learned import Learned
from soc.detect.strangeness.rows import Matrix, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """trees, each from a random sample of the reference.

    Its trees end where the reference ends: how far beyond it a row lies, they cannot tell.
    """

    name: ClassVar[str] = "isolation-forest"
    trees: int = 100
    sample: int = 256

    def fit(self, rows: Matrix, seed: int) -> Learned:
        """Grow the trees."""
        from sklearn.ensemble import IsolationForest  # defers scikit-learn: a second of imports

        sample = min(self.sample, len(rows))
        model = IsolationForest(n_estimators=self.trees, max_samples=sample, random_state=seed)
        model.fit(rows.astype(np.float32))
        return Learned(model, _scored, _scored(model, rows))


def _scored(model: Any, rows: Matrix) -> Vector:  # noqa: ANN401 - scikit-learn has no types
    """Return scikit-learn's score, turned round: from 0 to 1, higher is stranger."""
    scored: Vector = -model.score_samples(rows.astype(np.float32))
    return scored
