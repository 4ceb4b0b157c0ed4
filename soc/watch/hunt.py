"""Ask a rule about everything that is stored: of most events only what their columns say is read.

What columns cannot rule out is read as it was written and decided by the rule itself, so the answer
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
from soc.detect.sigma.event import key_of
from soc.detect.sigma.logsource import ORIGIN
from soc.detect.sigma.rule import Hit
from soc.detect.sigma.ruleset import INDIGESTIBLE, Ruleset
from soc.logs import columns
from soc.logs.promote import LONG, PREFIX
from soc.logs.reader import LogReader
from soc.watch.together import Together

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
        rows = np.flatnonzero(_possible(ruleset, table, fields))
        if len(rows):
            yield from _struck(reader, ruleset, table["seq"].take(pa.array(rows)).to_pylist(), told)


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


def _possible(ruleset: Ruleset, table: pa.Table, fields: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which rows of *table* a rule may hit."""
    size = table.num_rows
    values = {
        name: _coded(table[PREFIX + name]) if PREFIX + name in table.column_names else _absent(size)
        for name in fields
    }
    possible = np.zeros(size, bool)
    for rows in _of_one_origin(values, size):
        first = int(rows[0])
        origin = {name: values[key_of(name)].at(first) for name in ORIGIN}
        there = {name: value for name, value in origin.items() if value is not MISSING}
        partition = ruleset.route_of(there).partition
        asked = {name: (values[name].values, values[name].codes[rows]) for name in partition.fields}
        try:
            possible[rows] = partition.possible(asked, len(rows))
        except INDIGESTIBLE:
            possible[rows] = True
        for name in partition.fields if partition.rules else ():
            possible[rows] |= values[name].is_long[rows]
    return possible


class _Coded(NamedTuple):
    """A column: its different values, and for each row which of them it has, or -1.

    is_long: rows whose value is too long for a column.
    """

    values: list[Any]
    codes: Rows
    is_long: npt.NDArray[np.bool_]

    def at(self, row: int) -> object:
        """Return the value of *row*, or MISSING."""
        return self.values[self.codes[row]] if self.codes[row] >= 0 else MISSING


def _coded(column: pa.ChunkedArray) -> _Coded:
    if column.null_count == len(column):
        return _absent(len(column))
    coded = column.unify_dictionaries().combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    codes = coded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    texts = coded.dictionary.to_pylist()
    is_long = np.zeros(len(codes), np.bool_)
    if LONG in texts:
        is_long = codes == texts.index(LONG)
        codes, texts = (
            np.where(is_long, -1, codes),
            [one if one != LONG else "null" for one in texts],
        )
    return _Coded([orjson.loads(text) for text in texts], codes, is_long)


def _absent(size: int) -> _Coded:
    return _Coded([], np.full(size, -1, np.int64), np.zeros(size, np.bool_))


def _of_one_origin(values: Mapping[str, _Coded], size: int) -> Iterator[Rows]:
    """Yield the rows in groups that say the same of where they come from."""
    key = np.zeros(size, np.int64)
    for name in ORIGIN:
        one = values[key_of(name)]
        key = key * (len(one.values) + 1) + one.codes + 1
    if (key == key[0]).all():
        yield np.arange(size)
        return
    order = np.argsort(key, kind="stable")
    ends = np.flatnonzero(np.diff(key[order])) + 1
    yield from np.split(order, ends)


def _struck(reader: LogReader, ruleset: Ruleset, seqs: list[int], told: Hunt) -> Iterator[Struck]:
    for begin in range(0, len(seqs), READ):
        table = reader.events(seqs[begin : begin + READ])
        told.read += table.num_rows
        outcomes = ruleset.match_stored(table["raw"].to_pylist())
        about = zip(*(table[name].to_pylist() for name in ("seq", "ts", "source")), strict=True)
        for (seq, ts, source), (hits, errors) in zip(about, outcomes, strict=True):
            told.failures += len(errors)
            yield from (Struck(seq, ts, source or "", hit) for hit in hits)
