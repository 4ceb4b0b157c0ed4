"""Rows of numbers as models take them, and what is refused instead of being mended."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soc.errors import Refused

Matrix = npt.NDArray[np.float64]
"""A row per thing that is judged, a column per measure."""
Vector = npt.NDArray[np.float64]
LEAST_ROWS = 30
"""Of fewer, nobody can say what is usual."""
LARGEST = 1e100
"""Squares of larger numbers, summed, are no numbers any more."""
TOLD = 5


def check(rows: Matrix, columns: Sequence[str]) -> None:
    """Raise Refused, with counts, for what is no matrix of *columns* of plain numbers."""
    if rows.ndim != 2 or rows.shape[1] != len(columns):  # noqa: PLR2004 - rows and columns
        raise Refused(f"rows of {len(columns)} columns are needed, not an array {rows.shape}")
    with np.errstate(invalid="ignore"):
        wrong = (~(np.abs(rows) <= LARGEST)).sum(axis=0)
    if wrong.any():
        named = [f"{columns[i]}: {wrong[i]}" for i in np.flatnonzero(wrong)[:TOLD]]
        raise Refused(
            f"{wrong.sum()} cells are missing, infinite or beyond {LARGEST:g} "
            f"({', '.join(named)}): leave these rows out, or write what was measured"
        )


def check_enough(rows: Matrix) -> None:
    """Raise Refused if *rows* are too few to learn from."""
    if len(rows) < LEAST_ROWS:
        raise Refused(f"{len(rows)} rows to learn from: at least {LEAST_ROWS} are needed")
