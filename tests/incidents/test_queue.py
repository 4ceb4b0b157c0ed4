"""The queue has the worst first and of these the newest; what is over has the newest first."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from soc.incidents import queue
from soc.model.value import Severity
from soc.store.session import Database, session
from soc.store.tables import Incident
from tests.conftest import NOON

LEVELS = ["low", "critical", "medium", "critical", "low", "high"]


@pytest.fixture
def filled(database: Database) -> Database:
    with session(database) as writing:
        for number, level in enumerate(LEVELS):
            at = NOON + timedelta(minutes=number)
            row = Incident(title="t", severity=level, state="new", first=at, created=at, changed=at)
            writing.add(row)
            writing.flush()
    return database


@pytest.mark.parametrize("size", [1, 2, 4, 10])
def test_pages_of_any_size_are_the_whole_in_order(filled: Database, size: int) -> None:
    with Session(filled) as looking:
        rows = looking.exec(select(Incident)).all()
        worst = sorted(rows, key=lambda r: (-Severity(r.severity).severity_id, -(r.id or 0)))
        for find, wanted in ((queue.listed, worst), (queue.newest, rows[::-1])):
            pages = [find(looking, [], begin, size) for begin in range(0, len(LEVELS), size)]

            assert [row.id for found, _ in pages for row in found] == [row.id for row in wanted]
            assert {total for _, total in pages} == {len(LEVELS)}


def test_only_what_is_wanted_is_found_and_counted(filled: Database) -> None:
    with Session(filled) as looking:
        rows, total = queue.listed(looking, [col(Incident.severity) != "critical"], 0, 2)

    assert ([row.severity for row in rows], total) == (["high", "medium"], 4)
