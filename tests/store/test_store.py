"""The schema is what the tables say; writers take turns; moments keep their zone."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import Session

from soc.clock import SettableClock
from soc.errors import WindowTaken
from soc.store import windows
from soc.store.session import Database, connect, session
from soc.store.tables import Round, SQLModel
from soc.store.windows import Window


def test_the_migrations_make_exactly_the_tables(database: Database) -> None:
    with database.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)

    assert difference == []


def test_opening_again_changes_nothing(database: Database, store_url: str) -> None:
    connect(store_url).dispose()


def test_a_moment_comes_back_in_utc(database: Database) -> None:
    there = datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2)))
    with session(database) as writing:
        writing.add(Round(id="r", opened=there))

    with Session(database) as reading:
        opened = reading.get_one(Round, "r").opened
    assert opened == there
    assert opened is not None
    assert opened.utcoffset() == timedelta()


def test_no_step_of_two_writers_is_lost(database: Database, clock: SettableClock) -> None:
    with session(database) as writing:
        windows.register(writing, ["count"])

    def count_up(times: int) -> None:
        while times:
            with suppress(WindowTaken), session(database) as writing:
                old = windows.read(writing, "count")
                new = Window(detector="count", marks={0: old.marks.get(0, 0) + 1})
                windows.move(writing, old, new, clock.now())
                times -= 1

    with ThreadPoolExecutor() as pool:
        list(pool.map(count_up, [20, 20]))

    with session(database) as reading:
        assert windows.read(reading, "count").marks == {0: 40}


def test_the_loser_of_a_window_is_told(database: Database, clock: SettableClock) -> None:
    with session(database) as writing:
        windows.register(writing, ["d"])
        old = windows.read(writing, "d")
        windows.move(writing, old, Window(detector="d", marks={0: 5}), clock.now())

    with pytest.raises(WindowTaken, match="d"), session(database) as writing:
        windows.move(writing, old, Window(detector="d", marks={0: 3}), clock.now())
