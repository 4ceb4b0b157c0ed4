"""The audit log tells what was changed in it, and what was taken out."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from soc import audit
from soc.clock import SettableClock
from soc.store.session import Database, session


@pytest.fixture
def acts(database: Database, clock: SettableClock) -> Database:
    """A log of four numbered acts."""
    write(database, clock, 4)
    return database


def write(database: Database, clock: SettableClock, count: int) -> int:
    """Write *count* acts; return how many have numbers then."""
    with session(database) as writing:
        for n in range(count):
            at = clock.now() + timedelta(microseconds=n)
            audit.record(writing, audit.Act(at=at, actor="soc", action="a.b", object=f"c:{n}"))
    with session(database) as writing:
        return audit.number(writing)


def change(database: Database, statement: str) -> list[str]:
    """Change the log behind the suite's back; return what it tells."""
    with session(database) as writing:
        writing.connection().execute(text(statement))
    with session(database) as reading:
        found = list(audit.problems(reading))
        assert audit.is_whole(reading) is (not found)
    return found


def test_a_log_that_nobody_changed_is_whole(acts: Database, clock: SettableClock) -> None:
    assert write(acts, clock, 2) == 6
    assert change(acts, "SELECT 1") == []


def test_an_act_without_a_number_yet_is_no_gap(acts: Database, clock: SettableClock) -> None:
    with session(acts) as writing:
        audit.record(writing, audit.Act(at=clock.now(), actor="a", action="b", object="c"))

    assert change(acts, "SELECT 1") == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM audit WHERE leaf = 1", "act 1 is missing"),
        ("DELETE FROM audit WHERE leaf = 0", "act 0 is missing"),
        ("DELETE FROM audit WHERE leaf IN (1, 2)", "acts 1 to 2 are missing"),
        (
            "UPDATE audit SET record = replace(record, 'soc', 'you') WHERE leaf = 2",
            "act 2 was changed: its hash is not that of what it says",
        ),
        (
            "UPDATE audit SET actor = 'user:you' WHERE leaf = 2",
            "act 2 was changed: its actor is not that of its record",
        ),
        (
            "UPDATE audit SET object = 'incident:9' WHERE leaf = 3",
            "act 3 was changed: its object is not that of its record",
        ),
        (
            "UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE leaf = 0",
            "act 0 was changed: its at is not that of its record",
        ),
        (
            "UPDATE audit SET outcome = 'failed' WHERE leaf = 0",
            "act 0 was changed: its outcome is not that of its record",
        ),
    ],
    ids=lambda value: value[:45],
)
def test_every_change_is_told(acts: Database, statement: str, told: str) -> None:
    assert change(acts, statement) == [told]


def test_numbers_go_on_after_an_act_was_taken_out(acts: Database, clock: SettableClock) -> None:
    change(acts, "DELETE FROM audit WHERE leaf = 1")

    assert write(acts, clock, 1) == 5
    assert change(acts, "SELECT 1") == ["act 1 is missing"]
