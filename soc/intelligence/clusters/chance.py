"""What silhouette rows reach that have no groups, and whether groups come back in other samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from soc.intelligence.clusters.partition import Labels, best_of, divide, divisions, nearest
from soc.intelligence.clusters.sheet import Matrix
from soc.intelligence.models.measure import Figure

DRAWS = 50
LEVEL = 95
LEVELS = (2.5, 97.5)
Draw = Callable[[Matrix, np.random.Generator], Matrix]


@dataclass(frozen=True, slots=True)
class Null:
    """The best silhouettes over all k of rows without groups. p: of how many draws are as good."""

    name: str
    draws: int
    median: float
    reached: float
    p: float


@dataclass(frozen=True, slots=True)
class Stability:
    """How far samples with replacement give the same groups.

    agreement: the adjusted Rand index (L. Hubert, P. Arabie, "Comparing partitions", 1985), 1 if
    the same; low and high hold 95 % of resamples. jaccard: of each group, the mean overlap with the
    most similar one of a resample (C. Hennig, "Cluster-wise assessment of cluster stability",
    2007).
    """

    resamples: int
    agreement: Figure
    jaccard: tuple[float, ...]


def independent(rows: Matrix, rng: np.random.Generator) -> Matrix:
    """Return rows whose columns were shuffled, each by itself: nothing goes with anything."""
    return rng.permuted(rows, axis=0)


def one_population(rows: Matrix, rng: np.random.Generator) -> Matrix:
    """Return rows with the same columns, which go together as in one population.

    Columns are put into the order of normal variables with the same correlation of ranks (a
    Gaussian copula): a long cloud can be cut into halves, and is no two groups.
    """
    from scipy.special import ndtri  # heavy: only where groups are sought
    from scipy.stats import rankdata

    scores = ndtri(rankdata(rows, axis=0) / (len(rows) + 1))
    correlation = np.corrcoef(scores, rowvar=False)
    drawn = rng.multivariate_normal(
        np.zeros(rows.shape[1]), correlation, size=len(rows), method="eigh", check_valid="ignore"
    )
    places = np.argsort(np.argsort(drawn, axis=0), axis=0)
    return np.take_along_axis(np.sort(rows, axis=0), places, axis=0)


NULLS: Mapping[str, Draw] = MappingProxyType(
    {"independent columns": independent, "one population": one_population}
)


def null(name: str, rows: Matrix, reached: float, seed: int, draws: int) -> Null:
    """Return what rows without groups reach, beside what *rows* have *reached*."""
    rng = np.random.default_rng(seed)
    found = [best_of(divisions(NULLS[name](rows, rng), seed)).silhouette for _ in range(draws)]
    p = (1 + sum(one >= reached for one in found)) / (draws + 1)
    return Null(name, draws, float(np.median(found)), float(np.percentile(found, LEVEL)), p)


def stability(rows: Matrix, labels: Labels, seed: int, draws: int) -> Stability:
    """Return how far groups found in resamples of *rows* are *labels*."""
    from sklearn.metrics import adjusted_rand_score  # heavy: only where groups are sought

    rng = np.random.default_rng(seed)
    k = int(labels.max()) + 1
    agreement, overlaps = [], []
    for _ in range(draws):
        _, centres, _ = divide(rows[rng.integers(len(rows), size=len(rows))], k, seed)
        again = nearest(rows, centres)
        agreement.append(float(adjusted_rand_score(labels, again)))
        overlaps.append(_overlap(labels, again, k))
    low, high = np.percentile(agreement, LEVELS)
    figure = Figure(float(np.mean(agreement)), float(low), float(high))
    return Stability(draws, figure, tuple(np.mean(overlaps, axis=0).tolist()))


def _overlap(labels: Labels, again: Labels, k: int) -> Matrix:
    """Return for each group the greatest share that it has in common with one of the others."""
    one, other = np.eye(k)[labels], np.eye(k)[again]
    both = one.T @ other
    either = one.sum(axis=0)[:, None] + other.sum(axis=0) - both
    return np.asarray((both / either).max(axis=1), dtype=np.float64)
