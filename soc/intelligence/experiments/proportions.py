"""Tests of proportions and counts: two-proportion z, and chi-square."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr

from soc.errors import Unfit

Many = Any
"""A number, or an array of them."""
FEWEST = 5.0
"""Units that a cell is expected to have at least: below that chi-square is none (Cochran 1954)."""


class Test(NamedTuple):
    """What a test says. freedom: degrees of it, where it has some."""

    statistic: float
    p: float
    freedom: int = 0


def two_proportion_z(hits: Sequence[int], units: Sequence[int]) -> Test:
    """Return the two-sided z-test that two shares are one, with the pooled share's spread."""
    (a, b), (n, m) = hits, units
    if min(n, m) < 1:
        raise Unfit("an arm has no units: nothing can be compared")
    if a + b in {0, n + m}:
        raise Unfit("all units did the same: there is nothing to compare")
    z = float(pooled_z(a, n, b, m))
    return Test(z, float(2 * ndtr(-abs(z))))


def pooled_z(a: Many, n: Many, b: Many, m: Many) -> Many:
    """Return z of *a* hits of *n* units against *b* of *m*, for one experiment or for many."""
    pooled = (a + b) / (n + m)
    return (a / n - b / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))


def chi_square(table: Sequence[Sequence[int]]) -> Test:
    """Return Pearson's test that rows and columns of *table* have nothing to do with each other.

    Raises Unfit where too little is expected in a cell.
    """
    seen = np.asarray(table, dtype=float)
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / max(seen.sum(), 1.0)
    if (least := expected.min()) < FEWEST:
        raise Unfit(f"chi-square needs {FEWEST:g} expected in each cell; the least is {least:.1f}")
    freedom = (seen.shape[0] - 1) * (seen.shape[1] - 1)
    return _of_counts(seen, expected, freedom)


def goodness(seen: Sequence[int], shares: Sequence[float]) -> Test:
    """Return Pearson's test that counts were drawn with *shares*, which need not sum to one."""
    counts, weights = np.asarray(seen, dtype=float), np.asarray(shares, dtype=float)
    return _of_counts(counts, counts.sum() * weights / weights.sum(), len(counts) - 1)


def _of_counts(seen: NDArray[Any], expected: NDArray[Any], freedom: int) -> Test:
    statistic = float(((seen - expected) ** 2 / expected).sum())
    return Test(statistic, float(chdtrc(freedom, statistic)), freedom)
