"""Read .npz: an array X, and perhaps arrays of labels, of ids, and of names of columns."""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soc.detect.strangeness.measure import Labels
from soc.detect.strangeness.rows import Matrix
from soc.detect.strangeness.table import UNSAID, Mistakes, Table
from soc.errors import ContentError, Problem

Arrays = Mapping[str, npt.NDArray[np.generic]]
NUMBERS = "biuf"
"""Kinds of arrays that are plain numbers."""


def read(path: Path, data: bytes, labels: Sequence[str], ids: str) -> Table:
    """Return the table that *data* holds; raises ContentError with every mistake.

    Columns are called by the array ``columns``, else x0, x1 and so on. Nothing is unpickled.
    """
    arrays, mistakes = _arrays(path, data), Mistakes(path)
    if "X" not in arrays:
        mistakes.add(1, f"there is no array X, but {', '.join(sorted(arrays)) or 'nothing'}")
        mistakes.raise_if_any()
    rows = _matrix(arrays["X"], mistakes)
    said = {name: _labels(arrays, name, len(rows), mistakes) for name in labels}
    columns = _columns(arrays, rows.shape[1], mistakes)
    if ids in arrays:
        _check_ids(arrays[ids], ids, len(rows), mistakes)
    mistakes.raise_if_any()
    lines = np.arange(1, len(rows) + 1)
    return Table(path=path, columns=columns, rows=rows, lines=lines, labels=said)


def _arrays(path: Path, data: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as opened:
            return {name: opened[name] for name in opened.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as wrong:
        say = f"no .npz of plain arrays: {wrong}"
        raise ContentError([Problem(path, 1, say)]) from wrong


def _matrix(found: npt.NDArray[np.generic], mistakes: Mistakes) -> Matrix:
    if found.ndim != 2 or found.dtype.kind not in NUMBERS:  # noqa: PLR2004 - rows and columns
        mistakes.add(
            1, f"X is {found.dtype} of shape {found.shape}: write rows by columns of numbers"
        )
        mistakes.raise_if_any()
    return found.astype(np.float64)


def _labels(arrays: Arrays, name: str, many: int, mistakes: Mistakes) -> Labels:
    found = arrays.get(name)
    if found is None or found.shape != (many,) or found.dtype.kind not in NUMBERS:
        what = f"there is no array {name}" if found is None else f"{name} has shape {found.shape}"
        mistakes.add(1, f"{what}: write {many} numbers, each 1 (strange), 0 (usual) or nan")
        return np.zeros(many, np.int8)
    told = found.astype(np.float64)
    for row in np.flatnonzero(~(np.isnan(told) | (told == 0) | (told == 1))):
        mistakes.add(int(row) + 1, f"{name}: {told[row]:g}: write 1 (strange), 0 (usual) or nan")
    return np.where(told == 1, 1, np.where(told == 0, 0, UNSAID)).astype(np.int8)


def _columns(arrays: Arrays, many: int, mistakes: Mistakes) -> tuple[str, ...]:
    if "columns" not in arrays:
        return tuple(f"x{i}" for i in range(many))
    names = tuple(map(str, arrays["columns"].ravel()))
    if len(set(names)) != many or len(names) != many:
        mistakes.add(1, f"columns holds {len(set(names))} names for {many} columns of X")
    return names


def _check_ids(found: npt.NDArray[np.generic], name: str, many: int, mistakes: Mistakes) -> None:
    different = len(np.unique(found))
    if found.shape != (many,) or different != many:
        mistakes.add(
            1, f"{name} holds {different} different ids for {many} rows: each needs its own"
        )
