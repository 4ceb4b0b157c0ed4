"""Groups as places where rows are dense: DBSCAN, with a reach that the rows themselves suggest."""

from dataclasses import dataclass

import numpy as np

from soc.intelligence.clusters.partition import Labels, distances, knee
from soc.intelligence.clusters.sheet import Matrix

FEWEST, PER_COLUMN, LARGEST = 5, 2, 0.1
"""Neighbours of a dense row: twice the columns (J. Sander and others, 1998), within bounds."""
NOISE = -1


@dataclass(frozen=True, slots=True)
class Dense:
    """What DBSCAN found.

    eps: its reach, where the sorted distances to the neighbour that makes a row dense bend most.
    noise: rows in no group.
    """

    eps: float
    neighbours: int
    groups: int
    noise: int
    labels: Labels


def dense(rows: Matrix) -> Dense:
    """Return the dense groups of *rows*."""
    from sklearn.cluster import DBSCAN  # heavy: only where groups are sought

    neighbours = max(FEWEST, min(PER_COLUMN * rows.shape[1], int(LARGEST * len(rows))))
    apart = distances(rows)
    reach = np.sort(np.partition(apart, neighbours - 1, axis=1)[:, neighbours - 1])
    eps = max(float(reach[knee(reach)]), np.finfo(float).tiny)
    model = DBSCAN(eps=eps, min_samples=neighbours, metric="precomputed").fit(apart)
    labels = model.labels_.astype(np.int64)
    return Dense(eps, neighbours, int(labels.max()) + 1, int(np.sum(labels == NOISE)), labels)
