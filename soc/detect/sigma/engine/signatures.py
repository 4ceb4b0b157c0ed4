"""The different rows of a table of small numbers, found without sorting it while they are few."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FEW = 1 << 20
"""Numbers up to which it is counted which of them there are."""

Ints = npt.NDArray[np.int64]


class Signatures:
    """Rows of so many as *size*, to which columns are added."""

    def __init__(self, size: int) -> None:
        self._columns: list[Ints] = []
        self._keys, self._range = np.zeros(size, np.int64), 1

    def add(self, column: Ints) -> None:
        """Add a *column* of numbers from 0 on."""
        self._columns.append(column)
        most = int(column.max(initial=0)) + 1
        if self._range * most > FEW:
            self._keys, self._range = self._dense()
        self._keys = self._keys * most + column
        self._range *= most

    def different(self) -> Iterator[tuple[int, ...]]:
        """Yield each different row once, in the order that ``which`` counts them."""
        self._keys, self._range = self._dense()
        firsts = np.zeros(self._range, np.int64)
        firsts[self._keys[::-1]] = np.arange(len(self._keys) - 1, -1, -1)
        for first in firsts:
            yield tuple(int(column[first]) for column in self._columns)

    def which(self) -> Ints:
        """Return for each row which of the ``different`` ones it is."""
        return self._keys

    def _dense(self) -> tuple[Ints, int]:
        """Return keys that leave no number out, and how many there are."""
        if self._range > FEW:
            found, keys = np.unique(self._keys, return_inverse=True)
            return keys.astype(np.int64), max(len(found), 1)
        there = np.bincount(self._keys, minlength=self._range) > 0
        numbers = np.cumsum(there) - 1
        return numbers[self._keys], max(int(there.sum()), 1)
