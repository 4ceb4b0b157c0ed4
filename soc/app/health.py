"""Findings about the event store: a disk that fills, events that cannot be made permanent."""

from datetime import datetime

from soc.app.silence import finding_about
from soc.app.suite import Suite
from soc.incidents.record import record
from soc.logs.port import OpenLog
from soc.model.finding import Finding
from soc.store.session import session

NAME = "event store"


class Health:
    """Looks at the event store; tells each trouble once while it lasts."""

    def __init__(self, suite: Suite, log: OpenLog) -> None:
        self._suite, self._log = suite, log
        self._troubled: frozenset[str] = frozenset()

    def look(self) -> list[str]:
        """Make a finding of every trouble that is new; return the rules that found one."""
        now = self._suite.clock.now()
        found = {finding.rule: finding for finding in self._findings(now)}
        new = [finding for rule, finding in sorted(found.items()) if rule not in self._troubled]
        if new:
            with session(self._suite.database) as writing:
                record(writing, new, {}, now, self._suite.settings.incidents)
        self._troubled = frozenset(found)
        return [finding.rule for finding in new]

    def _findings(self, now: datetime) -> list[Finding]:
        limits, free = self._suite.settings.logs, self._log.free
        troubles = []
        if free < limits.warn_below:
            title = "The disk of the event store fills"
            if free < limits.refuse_below:
                title = "The disk of the event store is full: events are refused"
            troubles.append(("soc-disk-low", title, f"{free:.1%} of it is free"))
        if problem := self._log.problem:
            title = "Events are safe in the journal alone: they cannot be made permanent"
            troubles.append(("soc-store-problem", title, problem))
        return [
            finding_about(NAME, rule, title, reason, now, now, self._suite)
            for rule, title, reason in troubles
        ]
