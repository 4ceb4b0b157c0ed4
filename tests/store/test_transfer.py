"""A store that was copied is the same store."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from soc import audit
from soc.clock import SettableClock
from soc.errors import StoreError
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.store import transfer
from soc.store.session import Database, connect, session
from soc.store.tables import AuditRow, Incident, Round
from soc.triage import Incidents


@pytest.fixture
def filled(tmp_path: Path, clock: SettableClock, finding: Callable[..., Finding]) -> Database:
    """A store with rows that tell a database's peculiarities apart."""
    database = connect(f"sqlite:///{tmp_path}/source.db")
    with session(database) as writing:
        record(writing, [finding(f"wallet:0x{n}") for n in range(3)], {}, clock.now(), Incidents())
        writing.add(Round(id="é", name="nul\x00", pool=str(10**77), opened=clock.now()))
        writing.add(Round(id="B", closed=clock.now() + timedelta(microseconds=1)))
        writing.add(Round(id="a"))
        for n in range(transfer.AT_ONCE + 1):
            audit.record(writing, audit.Act(at=clock.now(), actor="a", action="b", object=f"c:{n}"))
        audit.number(writing)
    return database


def test_what_arrives_is_what_was_sent_and_numbers_go_on(
    filled: Database, database: Database, clock: SettableClock, finding: Callable[..., Finding]
) -> None:
    sent = transfer.copy(filled, database)

    assert sent == transfer.held(filled) == transfer.held(database)
    assert {one.table: one.rows for one in sent}["audit"] == transfer.AT_ONCE + 1
    with session(database) as writing:
        record(writing, [finding("wallet:0xnew")], {}, clock.now(), Incidents())
        audit.record(writing, audit.Act(at=clock.now(), actor="a", action="b", object="c"))
    with session(database) as looking:
        assert audit.is_whole(looking)
        assert looking.get_one(Incident, 4).title == "wallet:0xnew did it"
        assert looking.get_one(AuditRow, transfer.AT_ONCE + 2).leaf is None


def test_there_and_back_is_the_same(filled: Database, database: Database, tmp_path: Path) -> None:
    back = connect(f"sqlite:///{tmp_path}/back.db")

    there = transfer.copy(filled, database)

    assert transfer.copy(database, back) == there


def test_a_store_that_holds_anything_is_left_alone(filled: Database, database: Database) -> None:
    with session(database) as writing:
        writing.add(Round(id="mine"))

    with pytest.raises(StoreError, match="is not empty: funding_round has rows"):
        transfer.copy(filled, database)

    assert sum(one.rows for one in transfer.held(database)) == 1


def after(target: Database, table: str, act: Callable[[Connection], object]) -> None:
    """Let *act* happen when the first rows of *table* have arrived in *target*."""
    done = []

    def listen(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(f"INSERT INTO {table} ") and not done:
            done.append(table)
            act(connection)

    event.listen(target, "after_cursor_execute", listen)


def test_a_store_that_changes_meanwhile_is_not_copied(filled: Database, database: Database) -> None:
    def somebody_writes(_connection: Connection) -> None:
        with session(filled) as writing:
            writing.add(Round(id="late"))

    after(database, "alert", somebody_writes)

    with pytest.raises(StoreError, match=r"^funding_round changed meanwhile: nothing was kept"):
        transfer.copy(filled, database)

    assert sum(one.rows for one in transfer.held(database)) == 0


def test_a_copy_that_lost_a_row_is_not_kept(filled: Database, database: Database) -> None:
    after(database, "alert_entity", lambda c: c.exec_driver_sql("DELETE FROM alert_entity"))

    with pytest.raises(StoreError, match=r"^alert_entity arrived otherwise than sent"):
        transfer.copy(filled, database)

    assert sum(one.rows for one in transfer.held(database)) == 0
