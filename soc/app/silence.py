"""Findings about what sends: a source that fell silent, a source that hit a limit."""

from datetime import datetime

from soc.app.suite import Suite
from soc.incidents.record import record
from soc.model.finding import Finding, about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.store import sources
from soc.store.session import reading, session

ALL = 100_000


class Silence:
    """Looks for sources that should send and do not; tells each silence once."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._began = suite.clock.now()
        self._told: dict[str, datetime] = {}

    def look(self) -> list[str]:
        """Make a finding of every expected source that is silent too long; return their names."""
        inputs, now = self._suite.settings.inputs, self._suite.clock.now()
        spans = {one.name: one.silent_after or inputs.silent_after for one in inputs.sources}
        due = {name: span for name, span in spans.items() if span is not None}
        if not due:
            return []
        with reading(self._suite.database) as looking:
            kept = {state.name: state.last_seen for state in sources.read(looking, ALL)}
        # One that was never seen is silent since we look: nobody knows better.
        found = [
            (name, kept.get(name))
            for name, span in sorted(due.items())
            if now - kept.get(name, self._began) > span
        ]
        # Files that were taken in without the front door are in the event store alone.
        silent = [(name, self._newest(name, last)) for name, last in found]
        told = []
        for name, last in silent:
            since = last or self._began
            if now - since > due[name] and self._told.get(name) != since:
                self._tell(name, last, now)
                self._told[name] = since
                told.append(name)
        return told

    def _newest(self, name: str, last: datetime | None) -> datetime | None:
        is_there = self._suite.home.events.is_dir()
        stored = self._suite.reader.last_intake(name) if is_there else None
        return max(filter(None, (stored, last)), default=None)

    def _tell(self, name: str, last: datetime | None, now: datetime) -> None:
        since = last or self._began
        words = f"last seen {since:%Y-%m-%d %H:%M:%S} UTC" if last else "never seen"
        finding = finding_about(
            name,
            "soc-source-silent",
            f"The source {name} is silent",
            words,
            since,
            now,
            self._suite,
        )
        with session(self._suite.database) as writing:
            record(writing, [finding], {}, now, self._suite.settings.incidents)


def tell_limit(suite: Suite, name: str, reason: str) -> None:
    """Make a finding of a source that sends more than it may."""
    now = suite.clock.now()
    title = f"The source {name} sends more than its limit: events are refused"
    finding = finding_about(name, "soc-source-limited", title, reason, now, now, suite)
    with session(suite.database) as writing:
        record(writing, [finding], {}, now, suite.settings.incidents)


def tell_gap(suite: Suite, name: str, reason: str, since: datetime) -> None:
    """Make a finding of events of a source that are missing here or there."""
    now = suite.clock.now()
    title = f"Events of the source {name} are missing"
    finding = finding_about(name, "soc-telemetry-gap", title, reason, since, now, suite)
    with session(suite.database) as writing:
        record(writing, [finding], {}, now, suite.settings.incidents)


def finding_about(
    name: str, rule: str, title: str, reason: str, since: datetime, now: datetime, suite: Suite
) -> Finding:
    """Return a finding about the source *name*; those since one moment are one alert."""
    entity = Entity(kind=EntityKind.SOURCE, value=name)
    bucket = bucket_of(since, suite.settings.detect.bucket)
    said = (rule, title, entity, Severity.MEDIUM)
    return about_suite(*said, bucket, now, reason, first=min(since, now))
