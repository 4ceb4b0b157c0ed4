"""Start playbooks by the clock: a row says when each is due, and whoever moves it queues the run.

Any number of workers may look, and as often as they like: the row is moved by compare-and-swap in
the transaction that queues the run.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlmodel import Session, col, update

from soc.model.value import EPOCH, rfc3339
from soc.respond.playbook import OnSchedule, Playbook
from soc.respond.versions import Wanted, queue
from soc.store.locks import put_new
from soc.store.tables import Schedule

STILL_ON_TIME = timedelta(minutes=1)
"""A run that begins so late was not missed."""
MOST = 100
"""Runs that are caught up with at once."""


def tick(session: Session, playbooks: Sequence[Playbook], now: datetime) -> list[int]:
    """Queue the runs that are due; return their numbers."""
    started: list[int] = []
    for playbook in playbooks:
        if playbook.on.schedule:
            started += _look(session, playbook, playbook.on.schedule, now)
    return started


def times(schedule: OnSchedule, after: datetime) -> Iterator[datetime]:
    """Yield the moments after *after* at which *schedule* is due, in UTC.

    A cron line is read in its zone: what falls into the hour that a clock skips is due right after
    it; what falls into one that comes twice is due once, if it names the hour.
    """
    if schedule.every:
        passed = (after - EPOCH) // schedule.every + 1
        while True:
            yield EPOCH + passed * schedule.every
            passed += 1
    for moment in CronSim(schedule.cron or "", after.astimezone(ZoneInfo(schedule.tz))):
        yield moment.astimezone(UTC)


def _look(session: Session, playbook: Playbook, schedule: OnSchedule, now: datetime) -> list[int]:
    spec = schedule.model_dump_json()
    row = session.get(Schedule, playbook.name)
    if row is None or row.spec != spec:
        due = next(times(schedule, now))
        if row is None:
            put_new(session, Schedule(playbook=playbook.name, spec=spec, due=due))
        else:
            row.spec, row.due = spec, due
            session.add(row)
        return []
    if row.due > now:
        return []
    moved = session.connection().execute(
        update(Schedule)
        .where(col(Schedule.playbook) == playbook.name, col(Schedule.due) == row.due)
        .values(due=next(times(schedule, now)))
    )
    if moved.rowcount != 1:
        return []  # another worker was faster
    return [_queue(session, playbook, due, now) for due in _caught_up(schedule, row.due, now)]


def _caught_up(schedule: OnSchedule, due: datetime, now: datetime) -> list[datetime]:
    """Return the moments, of those that are over, for which there is to be a run."""
    later = (moment for moment in islice(times(schedule, due), MOST) if moment <= now)
    over = [due, *later]
    if schedule.catch_up == "all":
        return over[:MOST]
    if schedule.catch_up == "skip" and now - over[-1] > STILL_ON_TIME:
        return []
    return over[-1:]


def _queue(session: Session, playbook: Playbook, due: datetime, now: datetime) -> int:
    wanted = Wanted(
        dedup=f"{playbook.name}:at:{rfc3339(due)}",
        incident=None,
        offered=None,
        given={},
        requested_by="soc",
    )
    return queue(session, playbook, wanted, now)
