"""Tasks, files, marks and people named by hand: kept with the incident, and told."""

from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from soc.clock import SettableClock
from soc.errors import Illegal, NotFound
from soc.incidents import files, lifecycle, moves, observables, sharing, tasks
from soc.incidents.record import record
from soc.incidents.tasks import TaskState
from soc.model.finding import Finding
from soc.store.session import Database, session
from soc.store.tables import AuditRow, FileBody, Incident
from soc.triage import Incidents
from tests.conftest import NOON

ME = "user:ines"
WALLET = "0x" + "aB" * 20


@pytest.fixture
def two(database: Database, clock: SettableClock, finding: Callable[..., Finding]) -> Database:
    found = [finding("wallet:0xa"), finding("wallet:0xb")]
    with session(database) as writing:
        record(writing, found, {}, clock.now(), Incidents())
    return database


def test_a_task_goes_through_its_states(two: Database) -> None:
    with session(two) as writing:
        task = tasks.add(writing, 1, " ask the donor ", None, None, ME, NOON).id or 0
        tasks.change(writing, 1, task, TaskState.COMPLETED, "otto", ME, NOON)

    with Session(two) as reading:
        (row,) = tasks.tasks_of(reading, [1])
        assert (row.title, row.state, row.assignee) == ("ask the donor", "completed", "otto")
        acts = reading.exec(select(AuditRow.action)).all()
    assert acts == ["incident.task", "incident.task_completed"]


def test_a_task_of_another_incident_is_not_found(two: Database) -> None:
    with session(two) as writing:
        task = tasks.add(writing, 1, "x", None, None, ME, NOON).id or 0

    with pytest.raises(NotFound, match="INC-2"), session(two) as writing:
        tasks.change(writing, 2, task, TaskState.TODO, None, ME, NOON)


def test_the_same_bytes_are_kept_once_and_read_back_as_they_were(two: Database) -> None:
    with session(two) as writing:
        for name in ("one.txt", "two.txt"):
            files.attach(writing, 1, name, "text/plain", b"seen", ME, NOON)

    with Session(two) as reading:
        (row, body) = files.read(reading, 1, 2)
        assert (row.name, body) == ("two.txt", b"seen")
        assert len(reading.exec(select(FileBody)).all()) == 1


def test_bytes_that_were_changed_are_not_given_out(two: Database) -> None:
    with session(two) as writing:
        files.attach(writing, 1, "one.txt", "text/plain", b"seen", ME, NOON)
        writing.exec(select(FileBody)).one().body = b"other"

    with Session(two) as reading, pytest.raises(Illegal, match="digest differs"):
        files.read(reading, 1, 1)


@pytest.mark.parametrize("size", [0, files.LARGEST + 1])
def test_what_is_empty_or_too_large_is_refused(two: Database, size: int) -> None:
    with pytest.raises(Illegal, match="at most"), session(two) as writing:
        files.attach(writing, 1, "x", "text/plain", b"x" * size, ME, NOON)


def test_marks_are_told_once(two: Database) -> None:
    for _ in range(2):
        with session(two) as writing:
            sharing.mark(writing, 1, sharing.Tlp.RED, None, ME, NOON)

    with Session(two) as reading:
        incident = reading.get_one(Incident, 1)
        assert (incident.tlp, incident.pap) == ("red", "green")
        assert reading.exec(select(AuditRow.action)).all() == ["incident.share"]


@pytest.mark.parametrize(
    "text", [f"eip155:1:{WALLET}", f"wallet:{WALLET}", WALLET.join(["wallet:", " "])]
)
def test_a_wallet_has_one_spelling(text: str) -> None:
    assert observables.parse(text) == f"wallet:{WALLET.lower()}"


@pytest.mark.parametrize("text", ["", "0xab", "wallet:", "eip155:1:0xab", "colour:red"])
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(Illegal, match="write kind and value"):
        observables.parse(text)


def test_who_is_named_by_hand_stays_named_after_a_split(
    two: Database, finding: Callable[..., Finding]
) -> None:
    with session(two) as writing:
        record(writing, [finding("wallet:0xa", "other")], {}, NOON, Incidents())
        observables.name(writing, 1, "ip:192.0.2.1", ME, NOON)
        first = lifecycle.alerts_of(writing, 1)[0].id or 0
        moves.split(writing, 1, [first], "x", ME, NOON)

    with Session(two) as reading:
        assert lifecycle.entities_of(reading, 1) == ["ip:192.0.2.1", "wallet:0xa"]


def test_alike_is_what_shares_entities_first_and_rules_after(
    two: Database, finding: Callable[..., Finding]
) -> None:
    with session(two) as writing:
        observables.name(writing, 2, "ip:192.0.2.1", ME, NOON)
        observables.name(writing, 1, "ip:192.0.2.1", ME, NOON)
        record(
            writing, [finding("wallet:0xc"), finding("wallet:0xd", "odd")], {}, NOON, Incidents()
        )

    with Session(two) as reading:
        found = observables.similar(reading, 1)
    assert [(s.incident.id, s.entities, s.rules) for s in found] == [
        (2, ("ip:192.0.2.1",), ("some-rule",)),
        (3, (), ("some-rule",)),
    ]


def test_what_is_ignored_makes_nothing_alike(
    two: Database, finding: Callable[..., Finding]
) -> None:
    with session(two) as writing:
        observables.name(writing, 1, "wallet:0xa", ME, NOON, ignored=True)
        record(writing, [finding("wallet:0xa", "odd")], {}, NOON, Incidents())

    with Session(two) as reading:
        assert [s.incident.id for s in observables.similar(reading, 1)] == [2]
        assert len(lifecycle.alerts_of(reading, 3)) == 1
