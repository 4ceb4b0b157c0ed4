"""Shares with Wilson intervals, and quantiles with bootstrapped ones."""

from bisect import bisect_left
from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""Of a normal distribution, 95 % lie within this."""
SEED, REPLICATES = 20_231, 2_000
LOWEST, HIGHEST = 0.025, 0.975


class Interval(NamedTuple):
    """Where a figure lies, at 95 % confidence."""

    low: float
    high: float


class Spread:
    """Values with how often each was seen. Quantiles are values that were seen (nearest rank)."""

    def __init__(self, values: Iterable[tuple[float, int]]) -> None:
        counts: dict[float, int] = {}
        for value, count in values:
            counts[value] = counts.get(value, 0) + count
        self._values = sorted(counts)
        self._upto: list[int] = []
        for value in self._values:
            self._upto.append((self._upto[-1] if self._upto else 0) + counts[value])
        self._sum = sum(value * count for value, count in counts.items())

    @property
    def n(self) -> int:
        """How many there are."""
        return self._upto[-1] if self._upto else 0

    @property
    def mean(self) -> float:
        """Their mean; there must be some."""
        return self._sum / self.n

    def quantile(self, percent: int) -> float:
        """Return the smallest value that *percent* of all do not exceed; there must be some."""
        return self._at(-(-percent * self.n // 100))

    def interval(self, percent: int) -> Interval | None:
        """Return where the quantile lies, by bootstrap with a fixed seed; None for one value.

        The quantile of a sample drawn with replacement is the value at the rank n * B, where B is
        the rank's own order statistic of n uniform numbers, a Beta number (H. A. David, "Order
        Statistics", 1981, 2.1): drawing B is drawing the sample.
        """
        if self.n < 2:  # noqa: PLR2004 - one value has no spread
            return None
        import numpy as np  # heavy: only where figures are made

        rank = -(-percent * self.n // 100)
        drawn = np.random.default_rng(SEED).beta(rank, self.n - rank + 1, REPLICATES)
        ranks = np.sort(np.minimum((drawn * self.n).astype(np.int64), self.n - 1))
        ends = (int(ranks[int(part * (REPLICATES - 1))]) for part in (LOWEST, HIGHEST))
        return Interval(*(self._at(end + 1) for end in ends))

    def _at(self, rank: int) -> float:
        return self._values[bisect_left(self._upto, max(rank, 1))]


def wilson(hits: int, n: int) -> Interval:
    """Return where a share lies that was *hits* of *n*, at least 1.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    share, square = hits / n, Z * Z
    below = 1 + square / n
    middle = (share + square / (2 * n)) / below
    reach = Z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / below
    # At the ends it is whole in exact arithmetic; floats would miss it by their last digit.
    return Interval(middle - reach if hits else 0.0, middle + reach if hits < n else 1.0)
