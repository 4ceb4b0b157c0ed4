"""A note is never changed: a new version says which one it replaces."""

from collections.abc import Callable

import pytest
from sqlmodel import Session

from soc.clock import SettableClock
from soc.errors import Illegal, NotFound
from soc.incidents import notes
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.store.session import Database, session
from soc.triage import Incidents


@pytest.fixture
def noted(database: Database, clock: SettableClock, finding: Callable[..., Finding]) -> Database:
    with session(database) as writing:
        record(writing, [finding()], {}, clock.now(), Incidents())
        notes.annotate(writing, 1, "first", "user:ines", clock.now())
    return database


def test_both_versions_are_kept(noted: Database, clock: SettableClock) -> None:
    with session(noted) as writing:
        notes.replace(writing, 1, 1, "second", "user:ines", clock.now())

    with Session(noted) as reading:
        assert [(n.text, n.replaces) for n in notes.notes_of(reading, [1])] == [
            ("first", None),
            ("second", 1),
        ]


@pytest.mark.parametrize(
    ("note", "actor", "error", "says"),
    [
        (1, "user:otto", Illegal, "write one of your own"),
        (7, "user:ines", NotFound, "7"),
    ],
)
def test_only_the_author_replaces_what_is_there(
    noted: Database,
    clock: SettableClock,
    note: int,
    actor: str,
    error: type[Exception],
    says: str,
) -> None:
    with pytest.raises(error, match=says), session(noted) as writing:
        notes.replace(writing, 1, note, "other", actor, clock.now())


def test_an_old_version_is_not_replaced_twice(noted: Database, clock: SettableClock) -> None:
    with session(noted) as writing:
        notes.replace(writing, 1, 1, "second", "user:ines", clock.now())

    with pytest.raises(Illegal, match="newer"), session(noted) as writing:
        notes.replace(writing, 1, 1, "third", "user:ines", clock.now())
