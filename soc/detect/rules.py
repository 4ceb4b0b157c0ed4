"""The detector that holds all Sigma rules, and correlations of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import orjson

from soc.content.kinds import duration
from soc.detect.detector import Failure, Observed
from soc.detect.sigma.correlate import Correlated, Seen, correlate, see
from soc.detect.sigma.event import Event
from soc.detect.sigma.memory import Counts
from soc.detect.sigma.rule import About, Correlation, Hit
from soc.detect.sigma.ruleset import INDIGESTIBLE, Outcome, Ruleset
from soc.model.event import Batch
from soc.model.finding import Finding, Match
from soc.model.value import Entity, EntityKind, Value, bounded, bucket_of, entity, short
from soc.settings import Detect

COLUMNS = {
    "wallet": EntityKind.WALLET,
    "user_name": EntityKind.ACCOUNT,
    "src_ip": EntityKind.IP,
    "host": EntityKind.HOST,
}
"""Whom an event names, by column, in the order in which one of them is the entity."""
FIELDS = {
    "wallet.address": EntityKind.WALLET,
    "counterparty.address": EntityKind.WALLET,
    "user.name": EntityKind.ACCOUNT,
    "source.ip": EntityKind.IP,
    "client.ip": EntityKind.IP,
    "host.name": EntityKind.HOST,
    "IpAddress": EntityKind.IP,
    "TargetUserName": EntityKind.ACCOUNT,
    "SubjectUserName": EntityKind.ACCOUNT,
    "Hostname": EntityKind.HOST,
    "Computer": EntityKind.HOST,
}
"""Whom a field of an event names; the last five are what Windows calls them."""
UNNAMED = Entity(kind=EntityKind.SOURCE, value="unnamed")
TOGETHER = 1_000
"""Events that are matched at once."""
FIRST_SEQS, LAST_SEQS = 20, 5
MAX_MATCHES = 20


class Remembered(Value):
    """What each correlation counts, by slug and digest: a changed rule begins anew."""

    counts: Mapping[str, Counts] = {}


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


Tallies = dict[tuple[str, str, datetime], Tally]
"""By rule, entity and bucket."""


class Rules:
    """Shows every event to every rule that is for it."""

    name = "sigma"
    state = Remembered

    def __init__(self, ruleset: Ruleset, settings: Detect) -> None:
        self._settings = settings
        self._rules = ruleset
        self._correlations = [self._tuned(one) for one in ruleset.correlations]

    @property
    def rules(self) -> tuple[str, ...]:
        """The slugs that its findings carry."""
        return tuple(rule.name for rule in (*self._rules.rules, *self._rules.correlations))

    @property
    def ruleset(self) -> Ruleset:
        """The rules, with what could not be loaded."""
        return self._rules

    def observe(self, batch: Batch, state: Remembered, now: datetime) -> Observed[Remembered]:
        """Return a finding per rule, entity and bucket, and what correlations must remember."""
        _ = now  # a rule about events waits for nothing
        found: Tallies = {}
        seen: dict[str, list[Seen]] = {one.name: [] for one in self._correlations}
        lines: dict[int, Line] = {}
        failures: set[Failure] = set()
        columns = Columns(batch)
        for row, outcome in enumerate(self._match(batch.column("raw"))):
            failures.update(Failure(one.rule.name, one.reason) for one in outcome.errors)
            if not outcome.hits:
                continue
            line = columns.line(row, outcome.hits[0].event)
            lines[line.seq] = line
            for hit in outcome.hits:
                try:
                    self._take(hit, line, found, seen)
                except INDIGESTIBLE as error:
                    failures.add(Failure(hit.rule.name, f"{type(error).__name__}: {error}"))
        counts = self._correlate(seen, state, found, lines)
        return Observed(
            answers=tuple(found[key].finding(lines) for key in sorted(found)),
            state=Remembered(counts=counts),
            failures=tuple(sorted(failures, key=lambda one: (one.rule, one.reason))),
        )

    def _match(self, raws: Sequence[str]) -> Iterator[Outcome]:
        for begin in range(0, len(raws), TOGETHER):
            texts = [raw.encode() for raw in raws[begin : begin + TOGETHER]]
            yield from self._rules.match_all(list(map(orjson.loads, texts)), texts)

    def _take(self, hit: Hit, line: Line, found: Tallies, seen: dict[str, list[Seen]]) -> None:
        """Show *hit* to the correlations that count it; unless it is silent, add it to *found*."""
        self._count(hit.rule.name, line, seen)
        if hit.rule.name not in self._rules.silent:
            whom = _entity_of(hit.rule, line)
            tally = self._tally(found, hit.rule, whom, line, lambda: hit.matched)
            tally.add(line.ts, line.ts, (line.seq,))

    def _correlate(
        self,
        seen: Mapping[str, list[Seen]],
        state: Remembered,
        found: Tallies,
        lines: Mapping[int, Line],
    ) -> dict[str, Counts]:
        """Add to *found* what *seen* makes true; return what to remember."""
        counts = {}
        for one in self._correlations:
            key = f"{one.name}@{one.digest[-16:]}"
            old = state.counts.get(key, Counts())
            if seen[one.name]:
                lateness = self._settings.lateness
                results, old = correlate(one, seen[one.name], old, lateness=lateness)
                self._tell(one, results, found, lines)
            if old != Counts():
                counts[key] = old
        return counts

    def _tell(
        self,
        one: Correlation,
        results: Iterable[Correlated],
        found: Tallies,
        lines: Mapping[int, Line],
    ) -> None:
        """Add *results*: a flood gives as many as it has events, and all go into one tally."""
        known: dict[tuple[tuple[str, ...], datetime], Tally] = {}
        for result in results:
            line = lines[max(seq for seq in result.seqs if seq in lines)]
            key = (result.group, bucket_of(line.ts, self._bucket(one)))
            if key not in known:
                known[key] = self._correlated(one, result, line, found)
            known[key].add(result.first, result.last, result.seqs)

    def _tuned(self, one: Correlation) -> Correlation:
        tuning = self._settings.tuning.get(one.name)
        return replace(one, timespan=tuning.timespan) if tuning and tuning.timespan else one

    def _count(self, name: str, line: Line, seen: dict[str, list[Seen]]) -> None:
        for one in self._correlations:
            if name not in one.rules:
                continue
            hit = see(
                one,
                name,
                line.document,
                ts=line.ts,
                seq=line.seq,
                arrived=line.ingested,
                source=line.source,
            )
            if hit:
                seen[one.name].append(hit)

    def _bucket(self, about: About) -> timedelta:
        tuning = self._settings.tuning.get(about.name)
        if tuning and tuning.bucket:
            return tuning.bucket
        return duration(about.extras.bucket) if about.extras.bucket else self._settings.bucket

    def _tally(
        self,
        found: Tallies,
        about: About,
        whom: Entity,
        line: Line,
        matched: Callable[[], tuple[Match, ...]],
    ) -> Tally:
        """Return the tally of *about* and *whom* in the bucket of *line*, a new one if need be."""
        bucket = bucket_of(line.ts, self._bucket(about))
        key = (about.name, str(whom), bucket)
        if key not in found:
            found[key] = Tally(
                about=about,
                entity=whom,
                bucket=bucket,
                matched=tuple(_fit(match) for match in matched()[:MAX_MATCHES]),
                first=line.ts,
                last=line.ts,
            )
        return found[key]

    def _correlated(
        self, one: Correlation, result: Correlated, line: Line, found: Tallies
    ) -> Tally:
        grouped = list(zip(one.group_by, result.group, strict=True))
        made = (entity(FIELDS[name], value) for name, value in grouped if name in FIELDS)
        entities = [whom for whom in made if whom]
        whom = entities[0] if entities else _entity_of(one, line)
        counted = Match(
            selection=str(one.kind),
            field=", ".join(one.counted) or "events",
            value=str(result.count),
        )
        matched = [Match(selection="group-by", field=name, value=value) for name, value in grouped]
        tally = self._tally(found, one, whom, line, lambda: (*matched, counted))
        tally.named.update(entities)
        return tally


def _entity_of(about: About, line: Line) -> Entity:
    name = about.extras.entity
    scalars = line.document.scalars(name) if name else ()
    if scalars and (own := entity(FIELDS.get(name, EntityKind.SOURCE), scalars[0].text)):
        return own
    if line.named:
        return line.named[0]
    return entity(EntityKind.SOURCE, line.source) or UNNAMED


def _fit(match: Match) -> Match:
    return match.model_copy(update={"value": bounded(match.value)})
