"""Events of a batch as rules see them, and what findings say of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa

from soc.detect.sigma.event import Event
from soc.detect.sigma.rule import About
from soc.model.event import Batch
from soc.model.finding import Finding, Match
from soc.model.value import Entity, EntityKind, bounded, entity, short

COLUMNS = {
    "wallet": EntityKind.WALLET,
    "user_name": EntityKind.ACCOUNT,
    "src_ip": EntityKind.IP,
    "host": EntityKind.HOST,
}
"""Whom an event names, by column, in the order in which one of them is the entity."""
FIRST_SEQS, LAST_SEQS = 20, 5


@dataclass(frozen=True, slots=True)
class Line:
    """One event of a batch: its document and what its columns say.

    ts: when it happened, not after its intake.
    """

    document: Event
    seq: int
    ts: datetime
    ingested: datetime
    source: str
    named: tuple[Entity, ...]


class Heard(NamedTuple):
    """When an event happened and arrived, in microseconds since 1970, and who sent it."""

    seq: int
    source: str
    at: int
    arrived: int


class Columns:
    """What the columns of a batch say; each is read when the first event needs it."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def line(self, row: int, document: Event) -> Line:
        """Return the event in *row*."""
        seqs, ingested, sources, *named = self._read
        entities = (
            entity(kind, names[row]) for kind, names in zip(COLUMNS.values(), named, strict=True)
        )
        whom = tuple(one for one in entities if one)
        ts = self._batch.moments[row]
        return Line(document, seqs[row], ts, ingested[row], sources[row] or "", whom)

    def heard(self) -> Iterator[Heard]:
        """Yield what clocks want to know of every event."""
        seqs, sources = map(self._batch.column, ("seq", "source"))
        ats, arrived = (
            column.cast(pa.int64()).to_pylist()
            for column in (self._batch.believed, self._batch.table["ingested"])
        )
        names = {source: bounded(source or "") for source in set(sources)}
        return map(Heard, seqs, map(names.__getitem__, sources), ats, arrived)

    @cached_property
    def _read(self) -> list[list[Any]]:
        return [self._batch.column(name) for name in ("seq", "ingested", "source", *COLUMNS)]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one finding will say: how often a rule was true of one entity in one bucket."""

    about: About
    entity: Entity
    bucket: datetime
    matched: tuple[Match, ...]
    first: datetime
    last: datetime
    count: int = 0
    seqs: set[int] = field(default_factory=set)
    named: set[Entity] = field(default_factory=set)

    def add(self, first: datetime, last: datetime, seqs: Iterable[int]) -> None:
        """Count one more time that it was true."""
        self.count += 1
        self.first, self.last = min(self.first, first), max(self.last, last)
        self.seqs.update(seqs)

    def finding(self, lines: Mapping[int, Line]) -> Finding:
        """Return the finding, with the first and last events and everyone whom they name."""
        seqs = sorted(self.seqs)
        named = {one for seq in seqs if seq in lines for one in lines[seq].named}
        return Finding(
            rule=self.about.name,
            rule_digest=self.about.digest,
            title=f"{self.about.title}: {short(self.entity.value)}",
            severity=self.about.severity,
            entity=self.entity,
            entities=tuple(sorted({self.entity, *self.named, *named}, key=str)),
            bucket=self.bucket,
            first=self.first,
            last=self.last,
            count=self.count,
            matched=self.matched,
            seqs=tuple(seqs[:FIRST_SEQS] + seqs[FIRST_SEQS:][-LAST_SEQS:]),
            author=self.about.author,
            licence=self.about.licence,
        )
