"""The queue has the worst first and of these the newest; a search leaves nothing out."""

from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlmodel import Session, col, select, true

from soc.incidents import queue
from soc.model.value import Severity
from soc.store.session import Database, session
from soc.store.tables import Incident, IncidentEntity
from tests.conftest import NOON

LEVELS = ["low", "critical", "medium", "critical", "low", "high"]
WALLET = f"0xab{'0' * 34}cdef"
NAMED = [
    ("Wallet 0xab00…cdef gave often", f"wallet:{WALLET}"),
    ("Many logins failed", "account:Max@example.org"),
    ("100% of answers were errors", "ip:192.0.2.7"),
]


def rows_of(titles: list[str], severity: str = "low") -> list[dict[str, object]]:
    same = {"severity": severity, "state": "new", "first": NOON, "created": NOON, "changed": NOON}
    return [{"title": title, **same} for title in titles]


@pytest.fixture
def filled(database: Database) -> Database:
    with session(database) as writing:
        for number, level in enumerate(LEVELS):
            at = NOON + timedelta(minutes=number)
            row = Incident(title="t", severity=level, state="new", first=at, created=at, changed=at)
            writing.add(row)
            writing.flush()
    return database


@pytest.fixture
def named(database: Database) -> Database:
    with session(database) as writing:
        writing.execute(insert(Incident), rows_of([title for title, _ in NAMED]))
        for number, (_, entity) in enumerate(NAMED, 1):
            kept = IncidentEntity(incident=number, entity=entity.lower(), added=NOON, by="soc")
            writing.add(kept)
    return database


@pytest.mark.parametrize("size", [1, 2, 4, 10])
@pytest.mark.parametrize("total", [len(LEVELS), None], ids=["counted", "uncounted"])
def test_pages_of_any_size_are_the_whole_in_order(
    filled: Database, size: int, total: int | None
) -> None:
    with Session(filled) as looking:
        rows = looking.exec(select(Incident)).all()
        worst = sorted(rows, key=lambda r: (-Severity(r.severity).severity_id, -(r.id or 0)))
        begins = range(0, len(LEVELS), size)
        pages = [queue.listed(looking, [], begin, size, total) for begin in begins]
        last = [queue.newest(looking, [], begin, size) for begin in begins]

        assert [row.id for found in pages for row in found] == [row.id for row in worst]
        assert [row.id for found in last for row in found] == [row.id for row in rows[::-1]]


def test_only_what_is_wanted_is_found_and_counted(filled: Database) -> None:
    wanted = [col(Incident.severity) != "critical"]
    with Session(filled) as looking:
        rows, total = queue.listed(looking, wanted, 0, 2), queue.count(looking, wanted)

    assert ([row.severity for row in rows], total) == (["high", "medium"], 4)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(WALLET, [1], id="whole wallet"),
        pytest.param(WALLET.upper().replace("X", "x"), [1], id="checksum"),
        pytest.param("0xab", [1], id="how it begins"),
        pytest.param("0xb0", [], id="digits that are not where it begins"),
        pytest.param("0xab00…cdef", [1], id="as lists shorten it"),
        pytest.param("0xab00…cdee", [], id="another of that beginning"),
        pytest.param(f"wallet:{WALLET}", [1], id="as an entity"),
        pytest.param("00cdef", [1], id="its last digits"),
        pytest.param("MAX@example", [2], id="account"),
        pytest.param("logins", [2], id="title"),
        pytest.param("2.0.2.", [3], id="part of an address"),
        pytest.param("0%", [3], id="a sign that SQL reads"),
        pytest.param("a_e", [], id="another"),
        pytest.param("often", [1], id="title of one about a wallet"),
        pytest.param("e", [1, 2, 3], id="a letter"),
    ],
)
def test_search_finds_titles_and_entities(named: Database, text: str, found: list[int]) -> None:
    with Session(named) as looking:
        by = queue.search(looking, text)
        assert by.few
        assert sorted(row.id or 0 for row in queue.newest(looking, [by.condition], 0, 9)) == found


def test_of_what_is_found_too_often_all_pages_can_be_read(database: Database) -> None:
    many = queue.FEW + 1
    with session(database) as writing:
        writing.execute(insert(Incident), rows_of(["Alike"] * many) + rows_of(["Other"], "high"))
    with Session(database) as looking:
        by = queue.search(looking, "alike")
        last = queue.listed(looking, [true(), by.condition], many - 2, 50)

        assert not by.few
        assert [row.id for row in last] == [2, 1]
