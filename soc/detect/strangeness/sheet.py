"""Read CSV with a head line: a column of numbers per measure, and perhaps labels and ids."""

import csv
import io
from array import array
from collections import Counter
from collections.abc import Sequence
from math import isfinite, nan
from pathlib import Path

import numpy as np

from soc.detect.strangeness.table import UNSAID, Mistakes, Table
from soc.errors import ContentError, Problem

SHOWN = 40


def read(path: Path, data: bytes, labels: Sequence[str], ids: str) -> Table:
    """Return the table that *data* holds; raises ContentError with every mistake and its line.

    labels: columns of 0, 1 or nothing. ids: a column that names rows, if there is one.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = data[: wrong.start].count(b"\n") + 1
        raise ContentError([Problem(path, line, "not UTF-8: save it as UTF-8")]) from wrong
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    mistakes = Mistakes(path)
    try:
        head = [name.strip() for name in next(lines, [])]
        _check_head(head, labels, mistakes)
        sheet = _Sheet(head, labels, ids, mistakes)
        for cells in lines:
            if cells:
                sheet.take(lines.line_num, cells)
    except csv.Error as wrong:
        raise ContentError([Problem(path, lines.line_num, f"not CSV: {wrong}")]) from wrong
    mistakes.raise_if_any()
    return sheet.table(path)


def _check_head(head: Sequence[str], labels: Sequence[str], mistakes: Mistakes) -> None:
    doubled = sorted(name for name, times in Counter(head).items() if times > 1)
    if not head:
        mistakes.add(1, "empty: write a line with the names of columns first")
    elif "" in head or doubled:
        mistakes.add(
            1, f"each column needs a name of its own: {', '.join(doubled) or 'one has none'}"
        )
    elif all(_is_number(name) for name in head):
        mistakes.add(1, "numbers: write a line with the names of columns first")
    for name in labels:
        if name not in head:
            mistakes.add(1, f"there is no column {name} of labels")
    mistakes.raise_if_any()


class _Sheet:
    """What was read so far, packed: a million rows are no million lists."""

    def __init__(
        self, head: Sequence[str], labels: Sequence[str], ids: str, mistakes: Mistakes
    ) -> None:
        self._head, self._mistakes, self._ids = head, mistakes, ids
        self._labels = {name: head.index(name) for name in labels}
        self._id = head.index(ids) if ids in head else None
        special = {*self._labels.values(), self._id}
        self._places = [i for i in range(len(head)) if i not in special]
        self._values, self._lines = array("d"), array("q")
        self._said = {name: array("b") for name in labels}
        self._seen: dict[str, int] = {}

    def take(self, line: int, cells: Sequence[str]) -> None:
        """Take one more row, or note what is wrong with it."""
        if len(cells) != len(self._head):
            self._mistakes.add(line, f"{len(cells)} cells under {len(self._head)} columns")
            return
        self._lines.append(line)
        try:
            told = [float(cells[i]) for i in self._places]
        except ValueError:
            told = [nan]
        if not isfinite(sum(told)):
            self._note_words(line, cells)
        self._values.extend(told)
        for name, place in self._labels.items():
            self._said[name].append(self._label(line, name, cells[place].strip()))
        if self._id is not None:
            self._note_double(line, cells[self._id])

    def table(self, path: Path) -> Table:
        """Return what was read."""
        shape = (len(self._lines), len(self._places))
        return Table(
            path=path,
            columns=tuple(self._head[i] for i in self._places),
            rows=np.array(self._values, np.float64).reshape(shape),
            lines=np.array(self._lines, np.int64),
            labels={name: np.array(said, np.int8) for name, said in self._said.items()},
        )

    def _note_words(self, line: int, cells: Sequence[str]) -> None:
        for i in self._places:
            if not _is_number(cells[i]) or not isfinite(float(cells[i])):
                what = f"{cells[i][:SHOWN]!r} is no number" if cells[i].strip() else "nothing there"
                say = f"{self._head[i]}: {what}: write a number, or leave the row out"
                self._mistakes.add(line, say)

    def _label(self, line: int, name: str, text: str) -> int:
        if not text:
            return UNSAID
        if not _is_number(text) or float(text) not in {0.0, 1.0}:
            say = f"{name}: {text[:SHOWN]!r}: write 1 (strange), 0 (usual) or nothing"
            self._mistakes.add(line, say)
            return UNSAID
        return int(float(text))

    def _note_double(self, line: int, name: str) -> None:
        if name in self._seen:
            say = f"{self._ids} {name[:SHOWN]!r} is that of line {self._seen[name]} too"
            self._mistakes.add(line, f"{say}: each row needs its own")
        self._seen.setdefault(name, line)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
