"""By the clock: each due moment once, whoever looks, and what was missed as the playbook says."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from pydantic import ValidationError

from soc.clock import SettableClock
from soc.respond import schedules
from soc.respond.playbook import OnSchedule, Playbook
from soc.store.session import Database, session
from tests.respond.stage import Stage, playbook, touch

DAYS = {
    "weekdays are those of cron": ("0 9 * * 1-5", "UTC", "2026-11-26T10:00", ["2026-11-27T09:00", "2026-11-30T09:00"]),
    "an hour that is skipped": ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
    "an hour that comes twice": ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
    "local time keeps its hour": ("0 9 * * *", "Europe/Berlin", "2026-10-24T12:00", ["2026-10-25T08:00", "2026-10-26T08:00"]),
}  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("cron", "tz", "after", "due"), DAYS.values(), ids=DAYS)
def test_a_cron_line_is_read_in_its_zone(cron: str, tz: str, after: str, due: list[str]) -> None:
    found = schedules.times(OnSchedule(cron=cron, tz=tz), at(after))

    assert list(islice(found, len(due))) == [at(text) for text in due]


def hourly(stage: Stage, catch_up: str) -> Playbook:
    on = {"schedule": {"every": "1h", "catch_up": catch_up}}
    return playbook([touch("a", stage)], on=on)


@pytest.mark.parametrize(("catch_up", "runs"), [("skip", 0), ("once", 1), ("all", 5)])
def test_what_was_missed_is_caught_up_with_as_it_says(
    database: Database, clock: SettableClock, tmp_path: object, catch_up: str, runs: int
) -> None:
    stage = Stage(database, clock, tmp_path)  # type: ignore[arg-type]
    book = hourly(stage, catch_up)
    with session(database) as writing:
        assert schedules.tick(writing, [book], clock.now()) == []
    clock.moment += timedelta(hours=5, minutes=30)

    for _ in range(2):
        with session(database) as writing:
            schedules.tick(writing, [book], clock.now())

    assert len(stage.runs()) == runs


def test_each_due_moment_is_run_once_and_without_an_incident(
    database: Database, clock: SettableClock, tmp_path: object
) -> None:
    stage = Stage(database, clock, tmp_path)  # type: ignore[arg-type]
    book = hourly(stage, "skip")
    for _ in range(4 * 24):
        with session(database) as writing:
            schedules.tick(writing, [book], clock.now())
        clock.moment += timedelta(minutes=15)

    stage.work()

    assert len(stage.runs()) == 23
    assert {(run.state, run.incident) for run in stage.runs()} == {("done", None)}


WRONG = {
    "no zone": ({"cron": "0 9 * * *", "tz": "Europe/Berln"}, "no zone"),
    "a path": ({"cron": "0 9 * * *", "tz": "../etc/passwd"}, "no zone"),
    "no cron line": ({"cron": "0 25 * * *"}, "write five fields"),
    "neither": ({}, "either every or cron"),
    "both": ({"cron": "0 9 * * *", "every": "1h"}, "either every or cron"),
}


@pytest.mark.parametrize(("given", "why"), WRONG.values(), ids=WRONG)
def test_a_schedule_that_cannot_be_kept_is_refused(given: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        OnSchedule.model_validate_json(json.dumps(given))
