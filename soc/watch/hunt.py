"""Ask a rule about everything that is stored: of most events only what their columns say is read.

What columns cannot decide is read as it was written and decided by the rule itself, so the answer
is that of a detector that had been there all the time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from soc.detect.sigma.asked import fields_of
from soc.detect.sigma.engine.resolver import MISSING
from soc.detect.sigma.engine.signatures import Signatures
from soc.detect.sigma.engine.stored import ABSENT, UNKNOWN, judge
from soc.detect.sigma.event import Event, key_of
from soc.detect.sigma.rule import Hit, Rule
from soc.detect.sigma.ruleset import INDIGESTIBLE, Ruleset
from soc.logs import columns
from soc.logs.promote import LONG, PREFIX
from soc.logs.reader import LogReader
from soc.watch.together import Together

FEW = 20
"""Values that are rather taken one by one."""
READ = 2_000
"""Events that are read as they were written together."""

Rows = npt.NDArray[np.int64]


class Struck(NamedTuple):
    """An event that a rule hits."""

    seq: int
    ts: datetime
    source: str
    hit: Hit


@dataclass(slots=True)
class Hunt:
    """What was looked at.

    from_text: events whose columns do not have all that the rules ask. read: those that were read
    as they were written. newest: when the last of them happened.
    """

    events: int = 0
    newest: datetime | None = None
    from_text: int = 0
    read: int = 0
    failures: int = 0


def hunt(
    reader: LogReader,
    ruleset: Ruleset,
    since: datetime | None,
    until: datetime | None,
    told: Hunt,
) -> Iterator[Struck]:
    """Yield what the rules of *ruleset* hit among stored events, in no order.

    since, until: when events happened, the first included. told: is kept up to date.
    """
    fields = sorted(map(key_of, fields_of(ruleset)))
    for found in columns.each(reader, fields):
        table = _between(found.table, since, until)
        if not table.num_rows:
            continue
        told.events += table.num_rows
        told.from_text += min(found.from_text, table.num_rows)
        newest = pc.max(table["ts"]).as_py()
        told.newest = max(told.newest or newest, newest)
        judged = _judged(ruleset, table, fields)
        yield from judged.struck
        if judged.unsure:
            yield from _read(reader, ruleset, judged.unsure, told)


def correlated(
    ruleset: Ruleset, struck: Iterator[Struck], told: Hunt
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what the correlations of *ruleset* make of what was *struck*, as lines of a scan."""
    together = Together(ruleset)
    for one in struck:
        together.hear(one.ts)
        if together.counts(one.hit):
            for _ in together.take([one.hit], one.ts, one.source, one.seq):
                told.failures += 1
    if told.newest is not None:
        together.hear(told.newest)
    yield from together.results()


def _between(table: pa.Table, since: datetime | None, until: datetime | None) -> pa.Table:
    if since is not None:
        table = table.filter(pc.greater_equal(table["ts"], since))
    return table if until is None else table.filter(pc.less(table["ts"], until))


class _Judged(NamedTuple):
    """What columns say of events. unsure: numbers of those that must be read."""

    struck: list[Struck]
    unsure: list[int]


def _judged(ruleset: Ruleset, table: pa.Table, fields: Sequence[str]) -> _Judged:
    size = table.num_rows
    values = {
        name: _coded(table[PREFIX + name]) if PREFIX + name in table.column_names else _absent(size)
        for name in fields
    }
    unsure, hits = np.zeros(size, bool), list[tuple[int, Sequence[Rule]]]()
    origins = Signatures(size)
    for name in ruleset.origin:
        origins.add(values[key_of(name)].codes - UNKNOWN)
    for number, codes in enumerate(origins.different()):
        there = _origin(ruleset.origin, values, codes)
        partition = ruleset.route_of(there).partition if there is not None else None
        if partition is not None and not partition.rules:
            continue
        rows = np.flatnonzero(origins.which() == number)
        if partition is None:
            unsure[rows] = True
            continue
        try:
            decided, which = judge(partition, values, rows)
        except INDIGESTIBLE:
            unsure[rows] = True
            continue
        unsure[rows] = np.array([bool(one.is_open) for one in decided])[which]
        for place, one in enumerate(decided):
            if one.holds and not one.is_open:
                hits += [(row, one.holds) for row in rows[which == place].tolist()]
    return _Judged(_struck(table, values, hits), _numbers(table, np.flatnonzero(unsure)))


def _struck(
    table: pa.Table, values: Mapping[str, "_Coded"], hits: Sequence[tuple[int, Sequence[Rule]]]
) -> list[Struck]:
    """Return *hits*, rows with their rules, as events that have what columns say of them."""
    about = table.take(pa.array([row for row, _ in hits], pa.int64()))
    told = zip(*(about[name].to_pylist() for name in ("seq", "ts", "source")), strict=True)
    struck = []
    for (row, rules), (seq, ts, source) in zip(hits, told, strict=True):
        found = {name: one.at(row) for name, one in values.items()}
        event = Event({name: value for name, value in found.items() if value is not MISSING})
        struck += [Struck(seq, ts, source or "", Hit(rule, event)) for rule in rules]
    return struck


def _numbers(table: pa.Table, rows: Rows) -> list[int]:
    return table["seq"].take(pa.array(rows)).to_pylist() if len(rows) else []


class _Coded(NamedTuple):
    """A column: its different values, and for each row which of them it has.

    UNKNOWN stands for one that is too long for a column.
    """

    values: pa.Array
    codes: Rows

    def some(self, which: Rows) -> list[Any]:
        """Return the values with these codes."""
        if len(which) < FEW:
            return [orjson.loads(self.values[int(code)].as_py()) for code in which]
        return [orjson.loads(text) for text in self.values.take(pa.array(which)).to_pylist()]

    def at(self, row: int) -> object:
        """Return the value of *row*, or MISSING."""
        code = self.codes[row]
        return orjson.loads(self.values[int(code)].as_py()) if code >= 0 else MISSING


def _coded(column: pa.ChunkedArray) -> _Coded:
    if column.null_count == len(column):
        return _absent(len(column))
    coded = column.unify_dictionaries().combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    codes = coded.indices.cast(pa.int64()).fill_null(ABSENT).to_numpy(zero_copy_only=False)
    long = pc.index(coded.dictionary, LONG).as_py()
    if long >= 0:
        codes = np.where(codes == long, UNKNOWN, codes)
    return _Coded(coded.dictionary, codes)


def _absent(size: int) -> _Coded:
    return _Coded(pa.array([], pa.string()), np.full(size, ABSENT, np.int64))


def _origin(
    names: Sequence[str], values: Mapping[str, _Coded], codes: Sequence[int]
) -> dict[str, Any] | None:
    """Return where events with these *codes* come from; None if that is not known."""
    found = {}
    for name, code in zip(names, codes, strict=True):
        if code + UNKNOWN == UNKNOWN:
            return None
        if code + UNKNOWN != ABSENT:
            (found[name],) = values[key_of(name)].some(np.array([code + UNKNOWN]))
    return found


def _read(reader: LogReader, ruleset: Ruleset, seqs: list[int], told: Hunt) -> Iterator[Struck]:
    for begin in range(0, len(seqs), READ):
        table = reader.texts(seqs[begin : begin + READ])
        told.read += table.num_rows
        outcomes = ruleset.match_stored(table["raw"].to_pylist())
        about = zip(*(table[name].to_pylist() for name in ("seq", "ts", "source")), strict=True)
        for (seq, ts, source), (hits, errors) in zip(about, outcomes, strict=True):
            told.failures += len(errors)
            yield from (Struck(seq, ts, source or "", hit) for hit in hits)
