"""A statement put into words once does what it does when it is put into words each time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from soc.store.prepared import Prepared
from soc.store.session import Database, session, transaction
from soc.store.tables import EntityLabel

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LABELS = EntityLabel.__table__  # type: ignore[attr-defined]
RELABEL = Prepared(
    update(LABELS)
    .where(LABELS.c.entity == bindparam("whose"), LABELS.c.label == "old")
    .values(label=bindparam("new"), at=bindparam("since"))
)


@pytest.fixture
def labelled(database: Database) -> Database:
    with session(database) as writing:
        writing.add(EntityLabel(entity="wallet:0x1", label="old", by="soc", at=NOON))
        writing.add(EntityLabel(entity="wallet:0x1", label="kept", by="soc", at=NOON))
    return database


def labels(database: Database) -> dict[str, datetime]:
    with Session(database) as looking:
        return {row.label: row.at for row in looking.exec(select(EntityLabel))}


def change(database: Database, *, fails: bool = False, **given: object) -> int:
    """Add a row and run the statement in one transaction; return how many rows that changed."""
    with transaction(database) as changing:
        changing.session.add(EntityLabel(entity="wallet:0x2", label="row", by="soc", at=NOON))
        given = {"whose": "wallet:0x1", "new": "new", **given}
        changed = RELABEL.run(changing.connection, given).rowcount
        if fails:
            changing.session.flush()
            raise OSError("broken")
        return changed


def test_it_takes_its_own_values_and_those_given(labelled: Database) -> None:
    later = (NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=5)))

    changed = change(labelled, new="100 % new", since=later)

    assert changed == 1
    assert labels(labelled)["100 % new"] == NOON + timedelta(hours=1)
    assert labels(labelled)["kept"] == NOON


def test_a_value_that_is_missing_is_no_null(labelled: Database) -> None:
    with pytest.raises(KeyError, match="since"):
        change(labelled)

    assert set(labels(labelled)) == {"old", "kept"}


def test_a_broken_constraint_is_told_as_ever_and_undoes_all(labelled: Database) -> None:
    with pytest.raises(IntegrityError):
        change(labelled, new="kept", since=NOON)

    assert set(labels(labelled)) == {"old", "kept"}


def test_rows_and_statements_of_one_transaction_commit_together(labelled: Database) -> None:
    change(labelled, since=NOON)

    assert set(labels(labelled)) == {"new", "kept", "row"}


def test_what_raises_undoes_rows_and_statements(labelled: Database) -> None:
    with pytest.raises(OSError, match="broken"):
        change(labelled, since=NOON, fails=True)

    assert set(labels(labelled)) == {"old", "kept"}
