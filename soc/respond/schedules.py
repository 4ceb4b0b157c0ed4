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
from soc.store.session import Database, reading, session
from soc.store.tables import Schedule

STILL_ON_TIME = timedelta(minutes=1)
"""A run that begins so late was not missed."""
MOST = 100
"""Runs that are caught up with at once."""


def start_due(database: Database, playbooks: Sequence[Playbook], now: datetime) -> None:
    """Queue the runs that are due; take the lock of writers only if there is something to do."""
    with reading(database) as looking:
        changing = [one for one in playbooks if _changes(looking, one, now)]
    if changing:
        with session(database) as writing:
            tick(writing, changing, now)


def tick(writing: Session, playbooks: Sequence[Playbook], now: datetime) -> list[int]:
    """Queue the runs that are due; return their numbers."""
    started: list[int] = []
    for playbook in playbooks:
        if playbook.on.schedule:
            started += _look(writing, playbook, playbook.on.schedule, now)
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


def _changes(looking: Session, playbook: Playbook, now: datetime) -> bool:
    """Return whether *playbook* is due, or keeps to another schedule than it did."""
    schedule = playbook.on.schedule
    if schedule is None:
        return False
    row = looking.get(Schedule, playbook.name)
    return row is None or row.spec != schedule.model_dump_json() or row.due <= now


def _look(writing: Session, playbook: Playbook, schedule: OnSchedule, now: datetime) -> list[int]:
    spec = schedule.model_dump_json()
    row = writing.get(Schedule, playbook.name)
    if row is None or row.spec != spec:
        due = next(times(schedule, now))
        if row is None:
            put_new(writing, Schedule(playbook=playbook.name, spec=spec, due=due))
        else:
            row.spec, row.due = spec, due
            writing.add(row)
        return []
    if row.due > now:
        return []
    moved = writing.connection().execute(
        update(Schedule)
        .where(col(Schedule.playbook) == playbook.name, col(Schedule.due) == row.due)
        .values(due=next(times(schedule, now)))
    )
    if moved.rowcount != 1:
        return []  # another worker was faster
    return [_queue(writing, playbook, due, now) for due in _caught_up(schedule, row.due, now)]


def _caught_up(schedule: OnSchedule, due: datetime, now: datetime) -> list[datetime]:
    """Return the moments, of those that are over, for which there is to be a run."""
    later = (moment for moment in islice(times(schedule, due), MOST) if moment <= now)
    over = [due, *later]
    if schedule.catch_up == "all":
        return over[:MOST]
    if schedule.catch_up == "skip" and now - over[-1] > STILL_ON_TIME:
        return []
    return over[-1:]


def _queue(writing: Session, playbook: Playbook, due: datetime, now: datetime) -> int:
    wanted = Wanted(
        dedup=f"{playbook.name}:at:{rfc3339(due)}",
        incident=None,
        offered=None,
        given={},
        requested_by="soc",
    )
    return queue(writing, playbook, wanted, now)
