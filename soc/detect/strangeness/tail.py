"""Tails of empirical distributions: how few reference rows are at least so extreme, per column.

After ECOD (Li and others, 2022), but inductive: a row is compared with the reference alone. It does
not care how columns are distributed, and cannot see what is strange only in their combination.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from soc.detect.strangeness.rows import Matrix, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Has no options."""

    name: ClassVar[str] = "ecdf-tail"

    def fit(self, rows: Matrix, seed: int) -> "FittedTail":
        """Sort each column; there is nothing random, so *seed* changes nothing."""
        del seed
        away = rows - rows.mean(axis=0)
        is_low = (away**3).mean(axis=0) < 0
        kept = np.sort(rows, axis=0)
        return FittedTail(kept, is_low, _judged(rows, kept, is_low)[0])


@dataclass(frozen=True, slots=True)
class FittedTail:
    """kept: each column sorted. is_low: its long tail is the lower one."""

    kept: Matrix
    is_low: np.typing.NDArray[np.bool_]
    usual: Vector

    def score(self, rows: Matrix) -> Vector:
        """Return the largest of three sums of surprise: lower tails, upper tails, long tails."""
        return _judged(rows, self.kept, self.is_low)[0]

    def blame(self, rows: Matrix) -> Matrix:
        """Return the surprise of each column, in the tail that counts."""
        return _judged(rows, self.kept, self.is_low)[1]


def _judged(
    rows: Matrix, kept: Matrix, is_low: np.typing.NDArray[np.bool_]
) -> tuple[Vector, Matrix]:
    lower, upper, many = np.empty(rows.shape), np.empty(rows.shape), len(kept)
    for column in range(rows.shape[1]):
        told = rows[:, column]
        below = np.searchsorted(kept[:, column], told, side="right")
        above = many - np.searchsorted(kept[:, column], told, side="left")
        lower[:, column] = -np.log((below + 1) / (many + 1))
        upper[:, column] = -np.log((above + 1) / (many + 1))
    tails = np.stack([lower, upper, np.where(is_low, lower, upper)])
    sums = tails.sum(axis=2)
    loudest = sums.argmax(axis=0)
    each = np.arange(len(rows))
    return sums[loudest, each], tails[loudest, each]
