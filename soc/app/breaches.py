"""Tell of clocks that ran out: once for each, as a finding that joins its incident."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from soc.app.suite import Suite
from soc.incidents import clocks
from soc.incidents.clocks import Clock, ClockState
from soc.incidents.lifecycle import INCIDENTS
from soc.incidents.record import record
from soc.model.finding import Finding, about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.store.locks import alone
from soc.store.session import reading, session
from soc.store.tables import ClockBreach, Incident
from soc.triage import Incidents

RULE = "soc-sla-breached"
BUCKET = timedelta(hours=1)
AT_ONCE = 200
"""Breaches that one look tells; the next one goes on."""
DONE = {Clock.ACKNOWLEDGE: "nobody has acted on it", Clock.RESOLVE: "it is not resolved"}


class Breaches:
    """Looks at the clocks of *suite*."""

    def __init__(self, suite: Suite) -> None:
        self._suite, self._follow = suite, suite.follow()

    def look(self) -> int:
        """Tell of clocks that ran out and were not told yet; return how many."""
        settings, now = self._suite.settings.incidents, self._suite.clock.now()
        with reading(self._suite.database) as looking:
            if not list(_waiting(looking, settings, now)):
                return 0
        with session(self._suite.database) as writing:
            alone(writing, INCIDENTS)
            found = [
                finding
                for clock, number in _waiting(writing, settings, now)
                if (finding := _told(writing, number, clock, settings, now))
            ]
            self._follow(writing, record(writing, found, {}, now, settings), now)
        return len(found)


def _waiting(session: Session, settings: Incidents, now: datetime) -> Iterator[tuple[Clock, int]]:
    late = set(clocks.not_yet_due(session, settings, now, now))
    for clock in Clock:
        told = select(ClockBreach.incident).where(col(ClockBreach.clock) == clock)
        query = select(Incident.id).where(
            clocks.due_by(settings, now, clock), col(Incident.id).not_in(told)
        )
        for number in session.exec(query.order_by(col(Incident.id)).limit(AT_ONCE)).all():
            if number is not None and number not in late:
                yield clock, number


def _told(
    session: Session, number: int, clock: Clock, settings: Incidents, now: datetime
) -> Finding | None:
    row = session.get_one(Incident, number, with_for_update=True)
    stops = clocks.stops_of(session, [number]).get(number, ())
    shown = {one.clock: one for one in clocks.read(row, stops, settings, now)}.get(clock)
    if shown is None or shown.state is not ClockState.BREACHED or shown.due is None:
        return None
    session.add(ClockBreach(incident=number, clock=clock, due=shown.due, told=now))
    entity = Entity(kind=EntityKind.INCIDENT, value=f"INC-{number}")
    title = f"INC-{number} was to be {clock}d by {shown.due:%Y-%m-%d %H:%M} UTC"
    said = (RULE, title, entity, Severity(row.severity), bucket_of(shown.due, BUCKET), now)
    finding = about_suite(*said, f"{DONE[clock]}; it is {row.severity}", first=shown.due)
    return finding.model_copy(update={"facet": str(clock)})
