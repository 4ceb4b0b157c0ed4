"""Ask a rule about everything that is stored: of most events only what their columns say is read.

What columns cannot decide is read as it was written and decided by the rule itself, so the answer
is that of a detector that had been there all the time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from soc.detect.sigma.asked import fields_of
from soc.detect.sigma.engine.partition import NOTHING
from soc.detect.sigma.engine.resolver import MISSING
from soc.detect.sigma.engine.signatures import Signatures
from soc.detect.sigma.engine.stored import ABSENT, UNKNOWN, judge
from soc.detect.sigma.event import Event, key_of
from soc.detect.sigma.rule import Hit, Rule
from soc.detect.sigma.ruleset import INDIGESTIBLE, Ruleset
from soc.logs import columns
from soc.logs.columns import ABOUT, Lot, Rows
from soc.logs.reader import LogReader
from soc.watch.sheet import Coded, Sheet
from soc.watch.together import Together

FEW = 20
"""Rules for which it pays to leave out events before it is known where they came from."""
READ = 2_000
"""Events that are read as they were written together."""


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
    for lot in columns.each(reader, fields):
        rows, newest = _between(lot, since, until)
        if newest is None:
            continue
        told.events += len(rows)
        told.from_text += min(lot.from_text, len(rows))
        told.newest = max(told.newest or newest, newest)
        judged = _judged(ruleset, Sheet(lot, rows), fields)
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


def _between(
    lot: Lot, since: datetime | None, until: datetime | None
) -> tuple[Rows, datetime | None]:
    """Return the rows of the events that happened then, and when the last of them did."""
    every = np.arange(lot.size)
    if since is None and until is None:
        return every, lot.newest
    happened = lot.pick(["ts"], every).table["ts"]
    keep = np.ones(lot.size, bool)
    if since is not None:
        keep &= pc.greater_equal(happened, since).to_numpy()
    if until is not None:
        keep &= pc.less(happened, until).to_numpy()
    return np.flatnonzero(keep), pc.max(happened.filter(pa.array(keep))).as_py()


class _Judged(NamedTuple):
    """What columns say of events. unsure: numbers of those that must be read."""

    struck: list[Struck]
    unsure: list[int]


def _judged(ruleset: Ruleset, sheet: Sheet, fields: Sequence[str]) -> _Judged:
    _look(ruleset, sheet, fields)
    if not sheet.size:
        return _Judged([], [])
    unsure, hits = np.zeros(sheet.size, bool), list[tuple[int, Sequence[Rule]]]()
    origins = Signatures(sheet.size)
    for name in ruleset.origin:
        origins.add(sheet.values[key_of(name)].codes - UNKNOWN)
    for number, codes in enumerate(origins.different()):
        there = _origin(ruleset.origin, sheet.values, codes)
        partition = ruleset.route_of(there).partition if there is not None else None
        if partition is not None and not partition.rules:
            continue
        rows = np.flatnonzero(origins.which() == number)
        if partition is None:
            unsure[rows] = True
            continue
        try:
            decided, which = judge(partition, sheet.values, rows)
        except INDIGESTIBLE:
            unsure[rows] = True
            continue
        unsure[rows] = np.array([bool(one.is_open) for one in decided])[which]
        for place, one in enumerate(decided):
            if one.holds and not one.is_open:
                hits += [(row, one.holds) for row in rows[which == place].tolist()]
    left = [one.seq for one in sheet.about(np.flatnonzero(unsure).tolist())]
    return _Judged(_struck(sheet, hits), left)


def _look(ruleset: Ruleset, sheet: Sheet, fields: Sequence[str]) -> None:
    """Read *fields*, of few rules those that tell most first, and leave out what cannot be hit."""
    if len(ruleset.rules) > FEW:
        sheet.read(fields)
        return
    origin = list(dict.fromkeys(map(key_of, ruleset.origin)))
    own = [name for name in fields if name not in origin]
    first = [name for name in own if name in ruleset.telling]
    _narrow(ruleset, sheet, first)
    for name in (*own, *origin) if first else (*origin, *own):
        if name not in first:
            _narrow(ruleset, sheet, [name])


def _narrow(ruleset: Ruleset, sheet: Sheet, fields: Sequence[str]) -> None:
    """Read *fields*; leave out events about which no rule could then say anything.

    It is not asked where they come from.
    """
    sheet.read(fields)
    if not sheet.size or set(ruleset.whole.fields).isdisjoint(fields):
        return
    try:
        decided, which = judge(ruleset.whole, sheet.values, np.arange(sheet.size))
    except INDIGESTIBLE:
        return
    may_hit = np.array([one is not NOTHING for one in decided])[which]
    sheet.keep(np.flatnonzero(may_hit))


def _struck(sheet: Sheet, hits: Sequence[tuple[int, Sequence[Rule]]]) -> list[Struck]:
    """Return *hits*, rows with their rules, as events that have what columns say of them."""
    struck = []
    told = sheet.about([row for row, _ in hits])
    for (row, rules), (seq, ts, source) in zip(hits, told, strict=True):
        found = {name: one.at(row) for name, one in sheet.values.items()}
        event = Event({name: value for name, value in found.items() if value is not MISSING})
        struck += [Struck(seq, ts, source, Hit(rule, event)) for rule in rules]
    return struck


def _origin(
    names: Sequence[str], values: Mapping[str, Coded], codes: Sequence[int]
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
        about = zip(*(table[name].to_pylist() for name in ABOUT), strict=True)
        for (seq, ts, source), (hits, errors) in zip(about, outcomes, strict=True):
            told.failures += len(errors)
            yield from (Struck(seq, ts, source or "", hit) for hit in hits)
