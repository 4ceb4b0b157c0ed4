"""The detector that holds all Sigma rules, and correlations of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import repeat

import numpy as np

from soc.content.kinds import duration
from soc.detect.detector import Failure, Observed
from soc.detect.sigma.chain import Chain, Place, matches_of
from soc.detect.sigma.clocks import Clocks
from soc.detect.sigma.memory import Counts
from soc.detect.sigma.rule import About, Correlation, Hit
from soc.detect.sigma.ruleset import INDIGESTIBLE, Ruleset
from soc.detect.sigma.window import Correlated, Seen
from soc.detect.tally import Columns, Heard, Line, Tally
from soc.detect.watermark import Progress
from soc.model.event import Batch
from soc.model.finding import Match
from soc.model.value import (
    Entity,
    EntityKind,
    Value,
    bounded,
    bucket_of,
    entity,
    moment_of,
)
from soc.settings import Detect

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
MAX_MATCHES = 20


class Remembered(Value):
    """What each correlation counts, by slug and digest: a changed rule begins anew.

    sources, passed: how far events have come, as ``Clocks`` say it.
    """

    counts: Mapping[str, Counts] = {}
    sources: Mapping[str, Progress] = {}
    passed: int = 0


Tallies = dict[tuple[str, str, datetime], Tally]
"""By rule, entity and bucket."""


class Rules:
    """Shows every event to every rule that is for it."""

    name = "sigma"
    state = Remembered

    def __init__(self, ruleset: Ruleset, settings: Detect) -> None:
        self._settings = settings
        self._rules = ruleset
        self._chain = Chain([self._tuned(one) for one in ruleset.correlations])

    @property
    def rules(self) -> tuple[str, ...]:
        """The slugs that its findings carry."""
        return tuple(rule.name for rule in (*self._rules.rules, *self._rules.correlations))

    @property
    def ruleset(self) -> Ruleset:
        """The rules, with what could not be loaded."""
        return self._rules

    def observe(self, batch: Batch, state: Remembered, now: datetime) -> Observed[Remembered]:
        """Return a finding per rule, entity and bucket, and what correlations must remember.

        now: when there is no more to come; it decides what sources that are silent hold back.
        """
        found: Tallies = {}
        look = _Look(self._chain, Clocks(state.sources, self._settings.lateness, state.passed))
        columns = Columns(batch)
        heard = columns.heard() if self._chain else repeat(None)
        outcomes = self._rules.match_stored(batch.column("raw"))
        for row, (outcome, one) in enumerate(zip(outcomes, heard, strict=False)):
            if one:
                look.hear(one)
            if outcome.errors:
                look.failures.update(Failure(e.rule.name, e.reason) for e in outcome.errors)
            if not outcome.hits:
                continue
            line = columns.line(row, outcome.hits[0].event)
            look.lines[line.seq] = line
            place = look.place(one) if one else None
            for hit in outcome.hits:
                if place:
                    look.count(hit, place)
                if hit.rule.name not in self._rules.silent:
                    self._take(hit, line, found, look.failures)
        remembered = self._correlate(look, state, found, batch, now)
        return Observed(
            answers=tuple(found[key].finding(look.lines) for key in sorted(found)),
            state=remembered,
            failures=tuple(sorted(look.failures, key=lambda one: (one.rule, one.reason))),
        )

    def _take(self, hit: Hit, line: Line, found: Tallies, failures: set[Failure]) -> None:
        try:
            whom = _entity_of(hit.rule, line)
            tally = self._tally(found, hit.rule, whom, line.ts, lambda: hit.matched)
            tally.add(line.ts, line.ts, (line.seq,))
        except INDIGESTIBLE as error:
            failures.add(Failure(hit.rule.name, f"{type(error).__name__}: {error}"))

    def _correlate(
        self, look: "_Look", state: Remembered, found: Tallies, batch: Batch, now: datetime
    ) -> Remembered:
        """Add to *found* what is true by now; return what to remember."""
        old = {one.name: state.counts.get(_key(one), Counts()) for one in self._chain.correlations}
        is_idle = not len(batch)
        if is_idle:
            if not self._chain.waits(old):
                return state
            look.clocks.idle(batch.upto, now)
        told, counts = self._chain.settle(look.seen, old, look.clocks.moves, _order(batch))
        if is_idle and not told:
            return state  # only the clock went on: that need not be written down
        self._tell(told, found, look.lines)
        kept = {_key(one): counts[one.name] for one in self._chain.correlations}
        return Remembered(
            counts={key: one for key, one in kept.items() if one != Counts(passed=one.passed)},
            sources=look.clocks.sources(),
            passed=look.clocks.passed,
        )

    def _tell(
        self,
        told: Iterable[tuple[Correlation, Correlated]],
        found: Tallies,
        lines: Mapping[int, Line],
    ) -> None:
        """Add what is *told*: a flood gives as many as it has events, and all go into one tally."""
        known: dict[tuple[str, tuple[str, ...], datetime], Tally] = {}
        for one, result in told:
            if one.name in self._rules.silent:
                continue
            at = moment_of(result.at)
            key = (one.name, result.group, bucket_of(at, self._bucket(one)))
            if key not in known:
                own = result.came if result.came in result.seqs else result.seqs[-1]
                line = lines.get(own)  # not of the event with which the time was over
                known[key] = self._correlated(one, result, at, line, found)
            known[key].add(moment_of(result.first), moment_of(result.last), result.seqs)

    def _tuned(self, one: Correlation) -> Correlation:
        tuning = self._settings.tuning.get(one.name)
        return replace(one, timespan=tuning.timespan) if tuning and tuning.timespan else one

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
        ts: datetime,
        matched: Callable[[], tuple[Match, ...]],
    ) -> Tally:
        """Return the tally of *about* and *whom* in the bucket of *ts*, a new one if need be."""
        bucket = bucket_of(ts, self._bucket(about))
        key = (about.name, str(whom), bucket)
        if key not in found:
            found[key] = Tally(
                about=about,
                entity=whom,
                bucket=bucket,
                matched=tuple(_fit(match) for match in matched()[:MAX_MATCHES]),
                first=ts,
                last=ts,
            )
        return found[key]

    def _correlated(
        self,
        one: Correlation,
        result: Correlated,
        at: datetime,
        line: Line | None,
        found: Tallies,
    ) -> Tally:
        grouped = list(zip(one.group_by, result.group, strict=True))
        made = (entity(FIELDS[name], value) for name, value in grouped if name in FIELDS)
        entities = [whom for whom in made if whom]
        whom = entities[0] if entities else _of_group(one, dict(grouped), line)
        tally = self._tally(found, one, whom, at, lambda: matches_of(one, result))
        tally.named.update(entities)
        return tally


def _order(batch: Batch) -> Mapping[int, int]:
    """Return where each event of a batch came, by number, if numbers of shards are mixed."""
    seqs = batch.table["seq"].to_numpy()
    if (np.diff(seqs) > 0).all():
        return {}
    return {seq: place for place, seq in enumerate(seqs.tolist())}


class _Look:
    """What is noted while a batch is looked at. lines: events that were hit, by number."""

    def __init__(self, chain: Chain, clocks: Clocks) -> None:
        self.clocks = clocks
        self.lines: dict[int, Line] = {}
        self.seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self.failures: set[Failure] = set()
        self._chain, self._passed, self._is_late = chain, clocks.passed, False

    def hear(self, heard: Heard) -> None:
        """Let the clocks hear of an event."""
        self._passed = self.clocks.passed
        self._is_late = self.clocks.hear(*heard)

    def place(self, heard: Heard) -> Place:
        """Return where the event stands that was heard last."""
        return Place(heard.at, heard.seq, self._passed, self.clocks.awaited, self._is_late)

    def count(self, hit: Hit, place: Place) -> None:
        """Show *hit* to the correlations that count it."""
        for one in self._chain.counting(hit.rule.name):
            try:
                seen = self._chain.see(one, hit.rule.name, hit.event, place)
            except INDIGESTIBLE as error:
                self.failures.add(Failure(one.name, f"{type(error).__name__}: {error}"))
                continue
            if seen:
                self.seen[one.name].append(seen)


def _key(one: Correlation) -> str:
    return f"{one.name}@{one.digest[-16:]}"


def _of_group(one: Correlation, grouped: Mapping[str, str], line: Line | None) -> Entity:
    """Return whom a group is about that names nobody; *line*: the event that completed it."""
    if one.extras.entity in grouped:
        own = entity(EntityKind.SOURCE, grouped[one.extras.entity])
    else:
        own = _entity_of(one, line) if line else None
    return own or entity(EntityKind.SOURCE, ", ".join(grouped.values())) or UNNAMED


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
