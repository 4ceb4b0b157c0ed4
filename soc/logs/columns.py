"""Scan by field: from promoted columns where they are whole, else from the events' text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial, reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from soc.logs.chain import Segment
from soc.logs.promote import LONG, PREFIX, Promotion, octets
from soc.logs.reader import LogReader, View
from soc.logs.segments import Part, Read, fitted
from soc.model.event import REJECTS

BASE = ["seq", "ts", "ingested", "source"]
ABOUT = ["seq", "ts", "source"]
AT_ONCE = 10
"""Row groups that are looked at together where only a few columns are read."""

Rows = npt.NDArray[np.int64]


class Columns(NamedTuple):
    """Fields of events, in the order of numbers.

    table: seq, ts, ingested, source and ``f.<field>`` for each field, as promotion writes it.
    from_text: rows whose text had to be read, since a field was not whole in its column, or a value
    too long for it.
    """

    table: pa.Table
    upto: int
    from_text: int


def scan(reader: LogReader, after: int, limit: int, fields: Iterable[str]) -> Columns:
    """Return *fields* of the events above number *after*: at least *limit* rows, if there are."""
    wanted = Promotion(fields)
    return reader.looking(lambda view: _scan(reader, view, after, limit, wanted))


class Picked(NamedTuple):
    """Some columns of some events, and the rows in which these are: others may be among them."""

    table: pa.Table
    rows: Rows


@dataclass(frozen=True, slots=True)
class Lot:
    """Some fields of so many events as *size*, which are read when they are picked.

    fields: those that an event may have. from_text: as in Columns. newest: when the last happened.
    pick: gives columns of the events in these rows. Those that are whole come as dictionaries, in
    which LONG stands for a very long value.
    """

    size: int
    fields: frozenset[str]
    from_text: int
    newest: datetime
    pick: Callable[[Sequence[str], Rows], Picked]


def each(reader: LogReader, fields: Iterable[str]) -> Iterator[Lot]:
    """Yield *fields* of all events but rejects, many at a time, in no order."""
    wanted, view = Promotion(fields), reader.view()
    for segment in view.segments:
        if segment.data_class == REJECTS:
            continue
        if reader.files.whole(segment).issuperset(wanted.fields):
            there = frozenset(_names(reader, segment, wanted))
            yield from _coded(reader, segment, there)
        else:
            for part in reader.files.parts(segment):
                yield _lot(*_read(reader, part, wanted))
    waiting = view.waiting()
    if waiting.num_rows:
        yield _lot(_from_text(waiting, wanted), len(waiting) if wanted.fields else 0)


def _coded(reader: LogReader, segment: Segment, there: frozenset[str]) -> Iterator[Lot]:
    parts, read = reader.files.parts(segment), reader.files.coded(segment)
    for begin in range(0, len(parts), AT_ONCE):
        some = parts[begin : begin + AT_ONCE]
        newest = max(part.max_ts for part in some)
        pick = partial(_pick, read, some)
        yield Lot(sum(part.rows for part in some), there, 0, newest, pick)


def _pick(read: Read, parts: Sequence[Part], names: Sequence[str], rows: Rows) -> Picked:
    """Return columns of those of *parts* that hold the *rows* of all of them."""
    sizes = np.array([part.rows for part in parts])
    ends = np.cumsum(sizes)
    places = np.searchsorted(ends, rows, "right")
    there = np.bincount(places, minlength=len(parts)) > 0
    skipped = np.cumsum(np.where(there, 0, sizes))
    some = [part for part, is_there in zip(parts, there.tolist(), strict=True) if is_there]
    return Picked(read(some, names), rows - skipped[places])


def _lot(table: pa.Table, from_text: int) -> Lot:
    there = frozenset(name for name in table.column_names if name.startswith(PREFIX))
    newest = pc.max(table["ts"]).as_py()
    return Lot(
        len(table), there, from_text, newest, lambda names, rows: Picked(table.select(names), rows)
    )


def _names(reader: LogReader, segment: Segment, wanted: Promotion) -> list[str]:
    there = set(reader.files.promoted(segment))
    return [PREFIX + field for field in wanted.fields if PREFIX + field in there]


def _scan(reader: LogReader, view: View, after: int, limit: int, wanted: Promotion) -> Columns:
    names = [*BASE, *(PREFIX + field for field in wanted.fields)]
    tables: list[pa.Table] = []
    from_text, last, cut = 0, after, False
    for part in reader.parts(view, after):
        if sum(table.num_rows for table in tables) >= limit and part.first > last:
            cut = True
            break
        table, read = _read(reader, part, wanted)
        tables.append(table.filter(pc.greater(table["seq"], after)))
        from_text += read
        last = max(last, part.last)
    if not cut:
        tables.append(_from_text(view.waiting(after), wanted))
        from_text += len(tables[-1]) if wanted.fields else 0
    schema = pa.schema([table.schema.field(name) for table in tables[:1] for name in BASE])
    schema = pa.schema([*schema, *(pa.field(name, pa.string()) for name in names[len(BASE) :])])
    found = pa.concat_tables([fitted(table, schema) for table in tables]).sort_by("seq")
    return Columns(found, last if cut else max(view.upto, after), from_text)


def _read(reader: LogReader, part: Part, wanted: Promotion) -> tuple[pa.Table, int]:
    if not reader.files.whole(part.segment).issuperset(wanted.fields):
        table = _from_text(reader.files.pick(part, [*BASE, "raw"]), wanted)
        return table, table.num_rows
    names = [*BASE, *_names(reader, part.segment, wanted)]
    return _completed(reader, part, wanted, reader.files.pick(part, names))


def _completed(
    reader: LogReader, part: Part, wanted: Promotion, table: pa.Table
) -> tuple[pa.Table, int]:
    """Return *table* with what was too long for its columns, and how many rows that took."""
    promoted = table.column_names[len(BASE) :]
    masks = [pc.fill_null(pc.equal(table[name], LONG), fill_value=False) for name in promoted]
    long = reduce(pc.or_, masks) if masks else None
    if long is None or not pc.any(long).as_py():
        return table, 0
    texts = reader.files.pick(part, [*BASE, "raw"]).filter(long)
    found = _from_text(texts, wanted)
    for name in promoted:
        column = table[name].cast(pa.string())
        whole = (
            found[name].combine_chunks()
            if name in found.column_names
            else pa.nulls(len(found), pa.string())
        )
        filled = pc.replace_with_mask(column.combine_chunks(), long.combine_chunks(), whole)
        table = table.set_column(table.column_names.index(name), name, filled)
    return table, len(found)


def _from_text(table: pa.Table, wanted: Promotion) -> pa.Table:
    found = wanted.columns(octets(table["raw"]), longest=None)
    base = table.select(BASE)
    for name, column in found.columns.items():
        base = base.append_column(name, column)
    return base
