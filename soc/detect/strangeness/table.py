"""Tables of numbers from files, and what makes one unfit. Nothing is ever filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soc.detect.strangeness.measure import Labels
from soc.detect.strangeness.rows import LARGEST, LEAST_ROWS, Matrix
from soc.errors import ContentError, Problem

TOLD = 50
"""Mistakes that are told of one file; the others are counted."""
UNSAID = -1
"""Among labels: nothing was said of the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a file holds.

    lines: where each row stands: its line, or in an array its number from 1. labels: by the name
    of their column, 1 strange, 0 usual, -1 not said.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Matrix
    lines: npt.NDArray[np.int64]
    labels: Mapping[str, Labels]


@dataclass(slots=True)
class Mistakes:
    """Mistakes of one file: the first are told, the others counted."""

    path: Path
    more: int = 0
    told: list[Problem] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        """Note one more."""
        if len(self.told) < TOLD:
            self.told.append(Problem(self.path, line, message))
        else:
            self.more += 1

    def raise_if_any(self) -> None:
        """Raise ContentError with all of them."""
        if not self.told:
            return
        last = self.told[-1].line
        rest = [Problem(self.path, last, f"and {self.more} mistakes more")] if self.more else []
        raise ContentError([*self.told, *rest])


def check(table: Table) -> None:
    """Raise ContentError, with each place, for cells that are no number of use."""
    mistakes = Mistakes(table.path)
    if not table.columns:
        mistakes.add(1, "there is no column of numbers")
    if not len(table.rows):
        mistakes.add(1, "there are no rows")
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~(np.abs(table.rows) <= LARGEST))
    for row, column in wrong[:TOLD]:
        said = f"{table.columns[column]}: {table.rows[row, column]:g}"
        say = f"{said}: leave the row out, or write what was measured"
        mistakes.add(int(table.lines[row]), say)
    mistakes.more += max(0, len(wrong) - TOLD)
    mistakes.raise_if_any()


def check_learnable(table: Table, columns: Sequence[str]) -> None:
    """Raise ContentError for too few rows to learn from, and for *columns* that never vary."""
    mistakes, rows = Mistakes(table.path), in_columns(table, columns)
    if len(rows) < LEAST_ROWS:
        mistakes.add(1, f"{len(rows)} rows to learn from: at least {LEAST_ROWS} are needed")
        mistakes.raise_if_any()
    still = np.flatnonzero(rows.min(axis=0) == rows.max(axis=0))
    if len(still):
        named = ", ".join(f"{columns[i]} = {rows[0, i]:g}" for i in still[:TOLD])
        same = f"{len(still)} of {len(columns)} columns are the same in all {len(rows)} rows"
        mistakes.add(1, f"{same} ({named}): leave them out, they tell no row from another")
    mistakes.raise_if_any()


def in_columns(table: Table, columns: Sequence[str]) -> Matrix:
    """Return the rows of *table* in these *columns*; raises ContentError if one is not there."""
    if lacking := [name for name in columns if name not in table.columns]:
        said = f"columns are missing that the other file has: {', '.join(lacking[:TOLD])}"
        raise ContentError([Problem(table.path, 1, said)])
    return table.rows[:, [table.columns.index(name) for name in columns]]
