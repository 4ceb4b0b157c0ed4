"""Rows in two dimensions: the two directions in which they differ most."""

from dataclasses import dataclass

import numpy as np

from soc.intelligence.clusters.sheet import Matrix


@dataclass(frozen=True, slots=True)
class Plane:
    """Principal components. explained: the share of variance along each, falling.

    loadings: of the first two, by feature. points: each row along them.
    """

    explained: tuple[float, ...]
    loadings: Matrix
    points: Matrix


def plane(rows: Matrix) -> Plane:
    """Return *rows* seen along their first two components; the sign is that of its largest part."""
    middle = rows - rows.mean(axis=0)
    _, sizes, directions = np.linalg.svd(middle, full_matrices=False)
    variance = sizes**2
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    first = directions[:2]
    return Plane(tuple((variance / variance.sum()).tolist()), first, middle @ first.T)
