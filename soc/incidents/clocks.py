"""By when incidents are to be acknowledged and resolved: computed when asked, kept nowhere.

A clock begins when its incident was opened. It stands still outside the calendar's hours and while
the incident is on hold or at rest. Incidents about the suite itself and those that are only
watched have none.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, false
from sqlmodel import Session, and_, col, or_, select

from soc.incidents.pauses import WORKED
from soc.model.calendar import Calendar, Span, counted, due, latest_start
from soc.model.value import EPOCH, Severity
from soc.store.tables import Incident, IncidentPause
from soc.triage import Incidents, Promise

AT_ONCE = 500


class Clock(StrEnum):
    """What is promised. acknowledge: a person acts on it. resolve: it comes to rest."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class ClockState(StrEnum):
    """How a clock stands.

    running: its time is not over. paused: it stands still. breached: its time is over. met: done in
    time. missed: done, too late.
    """

    RUNNING = "running"
    PAUSED = "paused"
    BREACHED = "breached"
    MET = "met"
    MISSED = "missed"


class Reading(NamedTuple):
    """What a clock shows. due: None while it stands still, and if it never runs out."""

    clock: Clock
    state: ClockState
    due: datetime | None


class Stop(NamedTuple):
    """A time in which an incident rested; end: None while it does."""

    begin: datetime
    end: datetime | None


def read(
    row: Incident, stops: Sequence[Stop], settings: Incidents, now: datetime
) -> tuple[Reading, ...]:
    """Return what the clocks of an incident show at *now*."""
    if not has_clocks(row):
        return ()
    promise = settings.sla.get(Severity(row.severity))
    budgets = _budgets(promise) if promise else {}
    readings = []
    for clock, budget in budgets.items():
        done = row.acknowledged or row.resolved if clock is Clock.ACKNOWLEDGE else row.resolved
        shown = _shown(row.created, budget, done or row.closed, stops, settings.calendar, now)
        readings.append(Reading(clock, *shown))
    return tuple(readings)


def has_clocks(row: Incident) -> bool:
    """Return whether anything is promised of an incident."""
    return not (row.operations or row.monitor or row.merged_into)


def urgent(readings: Sequence[Reading]) -> Reading | None:
    """Return what is due first of *readings*, else what stands still; None if all is settled."""
    ticking = [one for one in readings if one.due and one.state in {"running", "breached"}]
    paused = [one for one in readings if one.state is ClockState.PAUSED]
    return min(ticking, key=lambda one: one.due or EPOCH, default=None) or next(iter(paused), None)


def of(
    session: Session, numbers: Sequence[int], settings: Incidents, now: datetime
) -> Mapping[int, tuple[Reading, ...]]:
    """Return what the clocks of the incidents *numbers* show at *now*."""
    found: dict[int, tuple[Reading, ...]] = {}
    for begin in range(0, len(numbers), AT_ONCE):
        some = numbers[begin : begin + AT_ONCE]
        rows = session.exec(select(Incident).where(col(Incident.id).in_(some))).all()
        found |= of_rows(session, rows, settings, now)
    return found


def of_rows(
    session: Session, rows: Sequence[Incident], settings: Incidents, now: datetime
) -> dict[int, tuple[Reading, ...]]:
    """Return the same for incidents that were read already, at most AT_ONCE."""
    stops = stops_of(session, [row.id or 0 for row in rows])
    return {row.id or 0: read(row, stops.get(row.id or 0, ()), settings, now) for row in rows}


def stops_of(session: Session, numbers: Sequence[int]) -> Mapping[int, Sequence[Stop]]:
    """Return when each of the incidents *numbers* rested, in order."""
    found: dict[int, list[Stop]] = {}
    query = select(IncidentPause).where(col(IncidentPause.incident).in_(numbers))
    for row in session.exec(query.order_by(col(IncidentPause.began))):
        found.setdefault(row.incident, []).append(Stop(row.began, row.ended))
    return found


def due_by(settings: Incidents, moment: datetime, *clocks: Clock) -> ColumnElement[bool]:
    """Return the condition that one of *clocks* runs out by *moment*, if none ever rested.

    An incident that rested for some time may be due later: ask it itself.
    """
    wanted = clocks or tuple(Clock)
    parts = [
        and_(col(Incident.severity) == severity, col(Incident.created) <= start, _is_open(clock))
        for severity, promise in settings.sla.items()
        for clock, budget in _budgets(promise).items()
        if clock in wanted
        if (start := latest_start(settings.calendar, moment, budget)) is not None
    ]
    ours = and_(
        col(Incident.state).in_(WORKED),
        col(Incident.operations).is_(False),
        col(Incident.monitor).is_(False),
        col(Incident.merged_into).is_(None),
    )
    return and_(ours, or_(false(), *parts))


def not_yet_due(
    session: Session, settings: Incidents, moment: datetime, now: datetime
) -> list[int]:
    """Return incidents that rested, so that they are not due by *moment* although it seems so."""
    if session.exec(select(IncidentPause.incident).limit(1)).first() is None:
        return []
    rested = select(IncidentPause.incident).distinct()
    query = select(Incident.id).where(due_by(settings, moment), col(Incident.id).in_(rested))
    numbers = [number for number in session.exec(query) if number is not None]
    shown = of(session, numbers, settings, now)
    return [
        number
        for number, readings in shown.items()
        if not any(one.due and one.due <= moment and is_open(one) for one in readings)
    ]


def is_open(reading: Reading) -> bool:
    """Return whether what a clock is about is still to be done."""
    return reading.state in {ClockState.RUNNING, ClockState.BREACHED}


def _budgets(promise: Promise) -> dict[Clock, timedelta]:
    both = {Clock.ACKNOWLEDGE: promise.acknowledge, Clock.RESOLVE: promise.resolve}
    return {clock: budget for clock, budget in both.items() if budget is not None}


def _is_open(clock: Clock) -> ColumnElement[bool]:
    column = Incident.acknowledged if clock is Clock.ACKNOWLEDGE else Incident.resolved
    return col(column).is_(None)


def _shown(
    since: datetime,
    budget: timedelta,
    done: datetime | None,
    stops: Sequence[Stop],
    calendar: Calendar,
    now: datetime,
) -> tuple[ClockState, datetime | None]:
    ends = due(calendar, since, budget, tuple(_closed(stops)))
    if done is not None:
        late = counted(calendar, since, done, tuple(_closed(stops))) > budget
        return (ClockState.MISSED if late else ClockState.MET), ends
    rests = next((stop.begin for stop in stops if stop.end is None), None)
    if rests is not None and not (ends and ends <= rests):
        return ClockState.PAUSED, None
    return (ClockState.BREACHED if ends and ends <= now else ClockState.RUNNING), ends


def _closed(stops: Sequence[Stop]) -> Iterator[Span]:
    return (Span(stop.begin, stop.end) for stop in stops if stop.end is not None)
