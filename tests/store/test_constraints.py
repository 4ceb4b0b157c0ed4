"""What no row may be is refused by either database, not only by our code."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, select

from soc.store.session import Database, session
from soc.store.tables import Alert, AlertEntity, AuditRow, IncidentNote, LoginSession, Run

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def run(**more: object) -> Run:
    given = {
        "dedup": "d",
        "kind": "undo",
        "playbook": "p",
        "state": "queued",
        "requested_by": "soc",
    }
    return Run(**{**given, "created": NOW, **more})


def act(**more: object) -> AuditRow:
    given = {"at": NOW, "actor": "a", "action": "b", "object": "c", "outcome": "done"}
    return AuditRow(**{**given, "record": "{}", "hash": "0", **more})


BROKEN: dict[str, Callable[[], list[SQLModel]]] = {
    "an entity of no alert": lambda: [AlertEntity(alert=7, entity="wallet:0x1")],
    "a note on no incident": lambda: [IncidentNote(incident=7, at=NOW, author="a", text="t")],
    "a run of no incident": lambda: [run(incident=7)],
    "a run of no playbook": lambda: [run(digest="sha256:none")],
    "a session of nobody": lambda: [
        LoginSession(hash="h", name="nobody", created=NOW, expires=NOW)
    ],
    "two runs with one key": lambda: [run(), run()],
    "two acts with one number": lambda: [act(leaf=1), act(leaf=1)],
    "a run that nobody asked for": lambda: [run(requested_by=None)],
}


@pytest.mark.parametrize("rows", BROKEN.values(), ids=BROKEN)
def test_a_row_that_cannot_be_is_refused_with_all_that_came_with_it(
    database: Database, rows: Callable[[], list[SQLModel]]
) -> None:
    with pytest.raises(IntegrityError):
        _write(database, [act(object="in the same transaction"), *rows()])

    with session(database) as looking:
        assert looking.exec(select(func.count()).select_from(AuditRow)).one() == 0


def _write(database: Database, rows: list[SQLModel]) -> None:
    with session(database) as writing:
        for row in rows:
            writing.add(row)
            writing.flush()


def test_text_that_holds_a_nul_is_taken(database: Database) -> None:
    with session(database) as writing:
        writing.add(act(actor="nul\x00here"))

    with session(database) as looking:
        assert looking.exec(select(AuditRow.actor)).one() in {"nul\x00here", "nul\ufffdhere"}


def test_a_number_of_64_bits_is_kept(database: Database) -> None:
    with session(database) as writing:
        writing.add(act(leaf=2**63 - 1))

    with session(database) as looking:
        assert looking.exec(select(AuditRow.leaf)).one() == 2**63 - 1


def test_texts_are_in_the_order_of_their_bytes(database: Database) -> None:
    words = ["b", "B", "a", "_", "é", "Z", "-a"]
    with session(database) as writing:
        writing.add_all([act(actor=word) for word in words])

    with session(database) as looking:
        found = looking.exec(select(AuditRow.actor).order_by(AuditRow.actor)).all()
    assert found == sorted(words)


def test_an_alert_without_incident_is_a_row(database: Database) -> None:
    alert = Alert(
        key="k", rule="r", rule_digest="d", title="t", severity="low", entity="wallet:0x1",
        bucket=NOW, first=NOW, last=NOW, count=1, state="new", created=NOW, changed=NOW,
    )  # fmt: skip
    with session(database) as writing:
        writing.add(alert)

    assert alert.id == 1
