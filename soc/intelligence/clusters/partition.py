"""Divide rows into k groups by KMeans, for each k, and say how good each division is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soc.intelligence.clusters.sheet import Matrix

Labels = npt.NDArray[np.int64]
SIZES = range(2, 9)
STARTS = 3


@dataclass(frozen=True, slots=True)
class Division:
    """Rows in k groups. inertia: the sum of squared distances to their centres.

    silhouette: how much nearer rows are to their own group than to the next, 1 at best.
    P. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", 1987.
    """

    k: int
    inertia: float
    silhouette: float
    labels: Labels
    centres: Matrix


def divisions(rows: Matrix, seed: int) -> list[Division]:
    """Return the division for each k that there are rows for."""
    apart, different = distances(rows), len(np.unique(rows, axis=0))
    return [_division(rows, apart, k, seed) for k in SIZES if k < different]


def best_of(found: list[Division]) -> Division:
    """Return the division with the highest silhouette."""
    return max(found, key=lambda one: one.silhouette)


def divide(rows: Matrix, k: int, seed: int) -> tuple[Labels, Matrix, float]:
    """Return the group of each row, the centres, and the inertia."""
    from sklearn.cluster import KMeans  # heavy: only where groups are sought

    model = KMeans(n_clusters=k, n_init=STARTS, random_state=seed).fit(rows)
    return model.labels_.astype(np.int64), model.cluster_centers_, float(model.inertia_)


def nearest(rows: Matrix, centres: Matrix) -> Labels:
    """Return the nearest of *centres* for each row."""
    far = (centres**2).sum(axis=1) - 2 * rows @ centres.T
    return np.asarray(far.argmin(axis=1), dtype=np.int64)


def distances(rows: Matrix) -> Matrix:
    """Return the distance of each row to each."""
    square = (rows**2).sum(axis=1)
    found: Matrix = np.sqrt(np.maximum(square[:, None] + square - 2 * rows @ rows.T, 0))
    np.fill_diagonal(found, 0)
    return found


def silhouette(apart: Matrix, labels: Labels) -> float:
    """Return the mean silhouette; a row alone in its group counts 0."""
    member = np.eye(int(labels.max()) + 1)[labels]
    sizes = member.sum(axis=0)
    sums = apart @ member
    here = sizes[labels]
    own = np.take_along_axis(sums, labels[:, None], axis=1)[:, 0] / np.maximum(here - 1, 1)
    other = np.where(member > 0, np.inf, sums / sizes).min(axis=1)
    most = np.maximum(own, other)
    each = np.divide(other - own, most, out=np.zeros_like(own), where=(most > 0) & (here > 1))
    return float(each.mean())


def elbow(rows: Matrix, found: list[Division]) -> int:
    """Return the k at which inertia bends most, from one group on."""
    whole = float(((rows - rows.mean(axis=0)) ** 2).sum())
    return 1 + knee(np.array([whole, *(one.inertia for one in found)]))


def knee(values: Matrix) -> int:
    """Return where a curve bends most: farthest from the line between its ends."""
    if len(values) < 3 or values[0] == values[-1]:  # noqa: PLR2004 - two ends and a bend
        return 0
    along = np.linspace(0, 1, len(values))
    up = (values - values[0]) / (values[-1] - values[0])
    return int(np.argmax(np.abs(up - along)))


def _division(rows: Matrix, apart: Matrix, k: int, seed: int) -> Division:
    labels, centres, inertia = divide(rows, k, seed)
    return Division(k, inertia, silhouette(apart, labels), labels, centres)
