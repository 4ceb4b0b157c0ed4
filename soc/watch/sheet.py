"""Some stored events and what columns say of them, which is read when it is asked for."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from soc.detect.sigma.engine.resolver import MISSING
from soc.detect.sigma.engine.stored import ABSENT, UNKNOWN
from soc.logs.columns import ABOUT, Lot, Picked, Rows
from soc.logs.promote import LONG, PREFIX

FEW = 20
"""Values that are rather taken one by one."""


class About(NamedTuple):
    """An event."""

    seq: int
    ts: datetime
    source: str


class Coded(NamedTuple):
    """A column: its different values, and for each row which of them it has.

    UNKNOWN stands for one that is too long for a column.
    """

    values: pa.Array
    codes: Rows

    def some(self, which: Rows) -> list[Any]:
        """Return the values with these codes."""
        if len(which) < FEW:
            return [orjson.loads(self.values[int(code)].as_py()) for code in which]
        texts = self.values.take(pa.array(which)).to_pylist()
        values: list[Any] = orjson.loads(f"[{','.join(texts)}]")
        return values

    def at(self, row: int) -> object:
        """Return the value of *row*, or MISSING."""
        code = self.codes[row]
        return orjson.loads(self.values[int(code)].as_py()) if code >= 0 else MISSING


class Sheet:
    """The events in *rows* of *lot*. values: what was read of them, by field."""

    def __init__(self, lot: Lot, rows: Rows) -> None:
        self._lot, self._rows = lot, rows
        self.values: dict[str, Coded] = {}

    @property
    def size(self) -> int:
        """Return how many events there are."""
        return len(self._rows)

    def read(self, fields: Iterable[str]) -> None:
        """Look at *fields*, too."""
        asked = list(fields)
        there = [name for name in asked if self.size and PREFIX + name in self._lot.fields]
        if there:
            picked = self._lot.pick([PREFIX + name for name in there], self._rows)
            self.values |= {name: _coded(picked, PREFIX + name) for name in there}
        self.values |= {name: _absent(self.size) for name in asked if name not in there}

    def keep(self, which: Rows) -> None:
        """Go on with some of the events."""
        self._rows = self._rows[which]
        self.values = {
            name: Coded(values, codes[which]) for name, (values, codes) in self.values.items()
        }

    def about(self, which: Sequence[int]) -> list[About]:
        """Return some of the events."""
        if not len(which):
            return []
        table, rows = self._lot.pick(ABOUT, self._rows[np.asarray(which)])
        some = table.take(pa.array(rows))
        told = zip(*(some[name].to_pylist() for name in ABOUT), strict=True)
        return [About(seq, ts, source or "") for seq, ts, source in told]


def _coded(picked: Picked, name: str) -> Coded:
    column = picked.table[name]
    if column.null_count == len(column):
        return _absent(len(picked.rows))
    coded = column.unify_dictionaries().combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    codes = coded.indices.fill_null(ABSENT).to_numpy()
    if len(codes) > len(picked.rows):
        codes = codes[picked.rows]
    long = pc.index(coded.dictionary, LONG).as_py()
    if long >= 0:
        codes = np.where(codes == long, UNKNOWN, codes)
    return Coded(coded.dictionary, codes)


def _absent(size: int) -> Coded:
    return Coded(pa.array([], pa.string()), np.full(size, ABSENT, np.int64))
