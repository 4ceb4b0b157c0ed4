"""Merge, split and detach are links that can be taken back: nothing is copied, nothing lost."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from soc.errors import Illegal, NotFound
from soc.incidents import lifecycle, moves
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Entity
from soc.store.session import Database, session
from soc.store.tables import (
    Alert,
    Incident,
)
from soc.triage import Incidents
from tests.conftest import NOON, _finding
from tests.incidents.emptied import clear

ME = "user:ines"


@pytest.fixture
def three(database: Database) -> Database:
    """Three incidents of two alerts each."""
    _fill(database)
    return database


def _fill(database: Database) -> None:
    with session(database) as writing:
        clear(writing)
    names = [("wallet:0xa", "a"), ("wallet:0xb", "b"), ("wallet:0xc", "c")]
    found = [_finding(name, f"{rule}-{n}") for name, rule in names for n in (1, 2)]
    with session(database) as writing:
        record(writing, found, {}, NOON, Incidents())


def picture(database: Database) -> dict[int, object]:
    """Return what each alert and each incident is like, but for clocks and severity."""
    with Session(database) as reading:
        return {
            one.id or 0: (
                one.state,
                one.merged_into,
                one.verdict,
                one.title,
                [(a.id, a.joined_by, a.state) for a in lifecycle.alerts_of(reading, one.id or 0)],
                lifecycle.entities_of(reading, one.id or 0),
            )
            for one in reading.exec(select(Incident))
        }


def ids(database: Database, number: int) -> list[int]:
    with Session(database) as reading:
        return [alert.id or 0 for alert in lifecycle.alerts_of(reading, number)]


def test_a_merge_moves_every_alert_and_says_so(three: Database) -> None:
    before = picture(three)
    with session(three) as writing:
        act = moves.merge(writing, 2, 1, "one person", ME, NOON)

    after = picture(three)
    assert after[2][:3] == ("closed", 1, "duplicate")  # type: ignore[index]
    assert len(ids(three, 1)) == 4
    with Session(three) as reading:
        assert lifecycle.entities_of(reading, 1) == ["wallet:0xa", "wallet:0xb"]
        assert lifecycle.family(reading, 1) == [1, 2]

    with session(three) as writing:
        moves.undo(writing, act, ME, NOON)
    assert picture(three) == before


def test_a_part_of_a_part_is_a_part_and_comes_back_with_it(three: Database) -> None:
    with session(three) as writing:
        moves.merge(writing, 3, 2, "same", ME, NOON)
    middle = picture(three)
    with session(three) as writing:
        act = moves.merge(writing, 2, 1, "same", ME, NOON)
        assert lifecycle.root(writing, 3) == 1

    with session(three) as writing:
        moves.undo(writing, act, ME, NOON)

    assert picture(three) == middle


def test_a_split_makes_a_new_incident_and_comes_back(three: Database) -> None:
    before = picture(three)
    (first, second) = ids(three, 1)
    with session(three) as writing:
        number = moves.split(writing, 1, [second], "another actor", ME, NOON)

    assert (ids(three, 1), ids(three, number)) == ([first], [second])
    with session(three) as writing:
        (move,) = moves.moves_of(writing, number)
        moves.undo(writing, move.act or 0, ME, NOON)
    after = picture(three)
    assert after[number][:3] == ("closed", 1, "duplicate")  # type: ignore[index]
    assert {one: after[one] for one in before} == before


def test_what_was_detached_stays_out_when_it_is_found_again(three: Database) -> None:
    first, _ = ids(three, 1)
    with session(three) as writing:
        moves.detach(writing, 1, first, "a bot of ours", ME, NOON)
        assert writing.get_one(Alert, first).incident is None

    with session(three) as writing:
        record(writing, [_finding("wallet:0xa", "a-1")], {}, NOON, Incidents())

    with Session(three) as reading:
        assert reading.get_one(Alert, first).incident == 4
        assert reading.get_one(Alert, first).count == 2


def test_two_incidents_that_were_parted_are_not_merged_again(
    three: Database, finding: Callable[..., Finding]
) -> None:
    both = tuple(map(Entity.parse, ("wallet:0xa", "wallet:0xb")))
    with session(three) as writing:
        record(writing, [finding(rule="link", entities=both)], {}, NOON, Incidents())
        (act,) = {move.act for move in moves.moves_of(writing, 2)}
        moves.undo(writing, act or 0, ME, NOON)

    with session(three) as writing:
        record(writing, [finding(rule="link-2", entities=both)], {}, NOON, Incidents())

    with Session(three) as reading:
        assert reading.get_one(Incident, 2).merged_into is None


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (lambda s: moves.merge(s, 1, 1, "x", ME, NOON), Illegal, "itself"),
        (lambda s: moves.merge(s, 2, 1, " ", ME, NOON), Illegal, "reason"),
        (lambda s: moves.merge(s, 9, 1, "x", ME, NOON), NotFound, "INC-9"),
        (lambda s: moves.split(s, 1, [1, 2], "x", ME, NOON), Illegal, "nothing would be left"),
        (lambda s: moves.split(s, 1, [3], "x", ME, NOON), NotFound, "alert of INC-1"),
        (lambda s: moves.split(s, 1, [], "x", ME, NOON), Illegal, "name those"),
        (lambda s: moves.detach(s, 1, 5, "x", ME, NOON), NotFound, "alert of INC-1"),
        (lambda s: moves.undo(s, 77, ME, NOON), NotFound, "77"),
    ],
    ids=["itself", "silent", "unknown", "all", "another's", "none", "not here", "no such move"],
)
def test_what_cannot_be_moved_is_refused_and_changes_nothing(
    three: Database, act: Callable[[Session], object], error: type[Exception], says: str
) -> None:
    before = picture(three)

    with pytest.raises(error, match=says), session(three) as writing:
        act(writing)

    assert picture(three) == before


def test_what_moved_on_is_not_taken_back(three: Database) -> None:
    with session(three) as writing:
        act = moves.merge(writing, 2, 1, "same", ME, NOON)
        moves.merge(writing, 1, 3, "same", ME, NOON)

    with pytest.raises(Illegal, match="take that back"), session(three) as writing:
        moves.undo(writing, act, ME, NOON)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_moves_taken_back_in_reverse_leave_what_was(
    database: Database, data: st.DataObject
) -> None:
    _fill(database)
    before, acts = picture(database), []
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["merge", "split", "detach"]))
        numbers = [n for n, seen in picture(database).items() if seen[0] == "new"]  # type: ignore[index]
        one = data.draw(st.sampled_from(numbers))
        with session(database) as writing:
            try:
                if kind == "merge":
                    other = data.draw(st.sampled_from(numbers))
                    acts.append(moves.merge(writing, one, other, "x", ME, NOON))
                else:
                    there = ids(database, one)
                    chosen = data.draw(st.sampled_from(there or [0]))
                    if kind == "detach":
                        acts.append(moves.detach(writing, one, chosen, "x", ME, NOON))
                    else:
                        new = moves.split(writing, one, [chosen], "x", ME, NOON)
                        acts.append(moves.moves_of(writing, new)[0].act or 0)
            except (Illegal, NotFound):
                continue
    for act in reversed(acts):
        with session(database) as writing:
            moves.undo(writing, act, ME, NOON)

    after = picture(database)
    assert {one: after[one] for one in before} == before
