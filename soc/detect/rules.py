"""The detector that holds all Sigma rules, and correlations of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from soc.content.kinds import duration
from soc.detect.detector import Failure, Observed
from soc.detect.sigma.correlate import Correlated, Counts, Seen, correlate, see
from soc.detect.sigma.event import field
from soc.detect.sigma.rule import About, Correlation
from soc.detect.sigma.ruleset import Ruleset
from soc.model.event import Batch
from soc.model.finding import Finding, Match
from soc.model.value import Entity, EntityKind, Value, bucket_of
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
}
FIRST_SEQS, LAST_SEQS = 20, 5
LONGEST_NAME = 20


class Remembered(Value):
    """What each correlation counts, by slug and digest: a changed rule begins anew."""

    counts: Mapping[str, Counts] = {}


@dataclass(frozen=True, slots=True)
class Line:
    """One event of a batch: its document and what its columns say."""

    document: Mapping[str, Any]
    seq: int
    ts: datetime
    ingested: datetime
    source: str
    named: tuple[Entity, ...]


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
        found: dict[tuple[str, str, datetime], Finding] = {}
        seen: dict[str, list[Seen]] = {one.name: [] for one in self._correlations}
        lines: dict[int, Line] = {}
        failures: set[Failure] = set()
        for line in _lines(batch):
            outcome = self._rules.match(line.document)
            failures.update(Failure(one.rule.name, one.reason) for one in outcome.errors)
            for hit in outcome.hits:
                lines[line.seq] = line
                self._count(hit.rule.name, line, seen)
                if hit.rule.name not in self._rules.silent:
                    entity = _entity_of(hit.rule, line)
                    _merge(found, self._finding(hit.rule, line, entity, hit.matched))
        counts = dict(state.counts) if self._correlations else {}
        for one in self._correlations:
            if not seen[one.name]:
                continue
            key = f"{one.name}@{one.digest[-16:]}"
            results, counts[key] = correlate(
                one, seen[one.name], counts.get(key, Counts()), lateness=self._settings.lateness
            )
            for result in results:
                _merge(found, self._correlated(one, result, lines))
        known = {f"{one.name}@{one.digest[-16:]}" for one in self._correlations}
        kept = {key: value for key, value in counts.items() if key in known}
        return Observed(
            answers=tuple(found[key] for key in sorted(found)),
            state=Remembered(counts=kept),
            failures=tuple(sorted(failures, key=lambda one: (one.rule, one.reason))),
        )

    def _tuned(self, one: Correlation) -> Correlation:
        tuning = self._settings.tuning.get(one.name)
        return replace(one, timespan=tuning.timespan) if tuning and tuning.timespan else one

    def _count(self, name: str, line: Line, seen: dict[str, list[Seen]]) -> None:
        for one in self._correlations:
            if name not in one.rules:
                continue
            hit = see(one, name, line.document, ts=line.ts, seq=line.seq, arrived=line.ingested)
            if hit:
                seen[one.name].append(hit)

    def _bucket(self, about: About) -> timedelta:
        tuning = self._settings.tuning.get(about.name)
        if tuning and tuning.bucket:
            return tuning.bucket
        return duration(about.extras.bucket) if about.extras.bucket else self._settings.bucket

    def _finding(
        self, about: About, line: Line, entity: Entity, matched: tuple[Match, ...]
    ) -> Finding:
        return Finding(
            rule=about.name,
            rule_digest=about.digest,
            title=f"{about.title}: {_short(entity.value)}",
            severity=about.severity,
            entity=entity,
            entities=tuple(sorted({entity, *line.named}, key=str)),
            bucket=bucket_of(line.ts, self._bucket(about)),
            first=line.ts,
            last=line.ts,
            matched=matched[:20],
            seqs=(line.seq,),
            author=about.author,
            licence=about.licence,
        )

    def _correlated(self, one: Correlation, result: Correlated, lines: dict[int, Line]) -> Finding:
        line = lines[max(seq for seq in result.seqs if seq in lines)]
        entities = [
            Entity(kind=FIELDS[name], value=value)
            for name, value in zip(one.group_by, result.group, strict=True)
            if name in FIELDS
        ]
        entity = entities[0] if entities else _entity_of(one, line)
        groups = zip(one.group_by, result.group, strict=True)
        matched = [Match(selection="group-by", field=name, value=value) for name, value in groups]
        counted = Match(
            selection=str(one.kind),
            field=", ".join(one.counted) or "events",
            value=str(result.count),
        )
        finding = self._finding(one, line, entity, (*matched, counted))
        named = {
            entity,
            *entities,
            *(e for seq in result.seqs if seq in lines for e in lines[seq].named),
        }
        return finding.model_copy(
            update={
                "first": result.first,
                "last": result.last,
                "entities": tuple(sorted(named, key=str)),
                "seqs": result.seqs[:FIRST_SEQS] + result.seqs[FIRST_SEQS:][-LAST_SEQS:],
            }
        )


def _lines(batch: Batch) -> Iterator[Line]:
    names = ("seq", "ts", "ingested", "source", *COLUMNS)
    rows = zip(*map(batch.column, names), strict=True)
    for document, (seq, ts, ingested, source, *named) in zip(batch.documents, rows, strict=True):
        entities = tuple(
            Entity(kind=kind, value=value)
            for kind, value in zip(COLUMNS.values(), named, strict=True)
            if value
        )
        yield Line(document, seq, ts, ingested, source, entities)


def _entity_of(about: About, line: Line) -> Entity:
    name = about.extras.entity
    value = field(line.document, name) if name else None
    if value:
        return Entity(kind=FIELDS.get(name, EntityKind.SOURCE), value=value)
    return line.named[0] if line.named else Entity(kind=EntityKind.SOURCE, value=line.source)


def _merge(found: dict[tuple[str, str, datetime], Finding], one: Finding) -> None:
    """Add *one* to the finding of its rule, entity and bucket, keeping first and last events."""
    key = (one.rule, str(one.entity), one.bucket)
    old = found.get(key)
    if old is None:
        found[key] = one
        return
    seqs = sorted({*old.seqs, *one.seqs})
    found[key] = old.model_copy(
        update={
            "count": old.count + one.count,
            "first": min(old.first, one.first),
            "last": max(old.last, one.last),
            "entities": tuple(sorted({*old.entities, *one.entities}, key=str)),
            "seqs": tuple(seqs[:FIRST_SEQS] + seqs[FIRST_SEQS:][-LAST_SEQS:]),
        }
    )


def _short(name: str) -> str:
    return (
        f"{name[:6]}…{name[-4:]}"
        if name.startswith("0x") and len(name) > LONGEST_NAME
        else name[:64]
    )
