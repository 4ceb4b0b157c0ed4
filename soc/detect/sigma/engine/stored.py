"""Decide about very many stored events by their columns, which say each different value once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from soc.detect.sigma.engine.column import Column
from soc.detect.sigma.engine.partition import NOTHING, Decided, Partition
from soc.detect.sigma.engine.signatures import Signatures

Ints = npt.NDArray[np.int64]
ABSENT, UNKNOWN = -1, -2
"""Stand in a column for no value, and for one that is there but not known."""
FEW = 100
"""Values that are rather asked than that rows are left out for which they do not matter."""


class Coded(Protocol):
    """A column. codes: for each event which of its different values it has, ABSENT or UNKNOWN."""

    @property
    def codes(self) -> Ints:
        """Return one code for each event."""

    def some(self, which: Ints) -> list[Any]:
        """Return the values with these codes."""


class Judged(NamedTuple):
    """What is decided about some events. which: for each of them its place in decided."""

    decided: Sequence[Decided]
    which: Ints


class _Table:
    """The events in *rows*, of which those are left out of whose rules none may hold any more."""

    def __init__(self, partition: Partition, rows: Ints) -> None:
        self._partition, self.rows = partition, rows
        self.places = np.arange(len(rows))
        self._classes: dict[str, Ints] = {}

    def add(self, name: str, classes: Ints) -> None:
        """Add the classes of what the events left have in the field *name*."""
        self._classes[name] = classes

    def judge(self) -> Judged:
        """Return what is decided about the events left, if nothing is known of other fields."""
        found = Signatures(len(self.rows))
        for classes in self._classes.values():
            found.add(classes)
        told = [dict(zip(self._classes, one, strict=True)) for one in found.different()]
        return Judged([self._partition.decide_known(one) for one in told], found.which())

    def narrow(self) -> None:
        """Leave out events about which nothing can be said."""
        if not self._classes:
            return
        judged = self.judge()
        keep = np.array([one is not NOTHING for one in judged.decided], np.bool_)[judged.which]
        self.rows, self.places = self.rows[keep], self.places[keep]
        self._classes = {name: classes[keep] for name, classes in self._classes.items()}


def judge(partition: Partition, columns: Mapping[str, Coded], rows: Ints) -> Judged:
    """Return what *columns* say of the events in *rows*, all for the rules of *partition*.

    columns: of its fields; of one that is not among them nothing is known. Raises what a predicate
    cannot digest.
    """
    if not partition.rules:
        return Judged([NOTHING], np.zeros(len(rows), np.int64))
    partition.make_room()
    table = _Table(partition, rows)
    for used, (name, column) in _cheapest_first(partition, columns, rows):
        if used > FEW:
            table.narrow()
        if not len(table.rows):
            return Judged([NOTHING], np.zeros(len(rows), np.int64))
        table.add(name, _classes(column, columns[name], table.rows))
    judged = table.judge()
    which = np.zeros(len(rows), np.int64)
    which[table.places] = judged.which + 1
    return Judged([NOTHING, *judged.decided], which)


def _cheapest_first(
    partition: Partition, columns: Mapping[str, Coded], rows: Ints
) -> Iterator[tuple[int, tuple[str, Column]]]:
    """Yield the columns of *partition*, those with few different values in *rows* first."""
    known = [one for one in partition.columns if one[0] in columns]
    counts = [len(_different(_codes(columns[name], rows))) for name, _ in known]
    order = sorted(range(len(counts)), key=counts.__getitem__)
    yield from ((counts[place], known[place]) for place in order)


def _classes(column: Column, coded: Coded, rows: Ints) -> Ints:
    codes = _codes(coded, rows)
    different = _different(codes)
    there = different[different >= 0]
    classes = np.full(int(codes.max(initial=0)) + 1 - UNKNOWN, column.absent, np.int64)
    classes[0] = column.unknown
    if len(there):
        classes[there - UNKNOWN] = column.codes(coded.some(there))
    found: Ints = classes[codes - UNKNOWN]
    return found


def _codes(coded: Coded, rows: Ints) -> Ints:
    """Return the codes in *rows*, each of which is there once, in their order."""
    return coded.codes if len(rows) == len(coded.codes) else coded.codes[rows]


def _different(codes: Ints) -> Ints:
    """Return each code once, in their order."""
    return np.flatnonzero(np.bincount(codes - UNKNOWN)) + UNKNOWN
