"""Severity has its reasons: facts only raise it, a person's word stands, and each is told."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from soc.incidents import lifecycle, severity
from soc.incidents.record import record
from soc.model.finding import Finding, Score
from soc.model.value import Severity
from soc.respond import labels
from soc.store.session import Database, session
from soc.store.tables import Incident, Indicator, IndicatorList
from soc.triage import Incidents
from tests.conftest import NOON

ROLES = {"treasury": Severity.CRITICAL, "exchange": Severity.LOW}


@pytest.fixture
def opened(database: Database, finding: Callable[..., Finding]) -> Database:
    found = [
        finding(severity=Severity.MEDIUM),
        finding(rule="model", severity=Severity.LOW, score=Score(value=0.93, reasons=())),
    ]
    with session(database) as writing:
        record(writing, found, {}, NOON, Incidents())
    return database


def how_bad(database: Database) -> str:
    with Session(database) as reading:
        return reading.get_one(Incident, 1).severity


def test_whom_it_names_makes_it_worse_and_says_so(opened: Database) -> None:
    with session(opened) as writing:
        labels.put(writing, "wallet:0xbad", "treasury", "user:ines", None, NOON)
        assert severity.raise_by_roles(writing, 1, ROLES, NOON)
        assert not severity.raise_by_roles(writing, 1, ROLES, NOON)

    assert how_bad(opened) == "critical"
    with Session(opened) as reading:
        assert severity.facts(reading, 1) == [
            "some-rule says medium",
            "model says low, sure to 0.93 of 1",
            "wallet:0xbad is treasury: medium became critical, said soc",
        ]


@pytest.mark.parametrize(
    ("list_", "label", "expires", "is_worse"),
    [
        pytest.param("ours", "treasury", None, True, id="a label of a list"),
        pytest.param("treasury", "", None, True, id="the list itself"),
        pytest.param("ours", "treasury", NOON - timedelta(days=1), False, id="expired"),
        pytest.param("ours", "exchange", None, False, id="a role that is less severe"),
    ],
)
def test_lists_give_roles(
    opened: Database, list_: str, label: str, expires: object, *, is_worse: bool
) -> None:
    with session(opened) as writing:
        about = IndicatorList(name=list_, owner="o", source="s", digest="d", imported=NOON)
        about.imported_by = "user:ines"
        writing.add(about)
        writing.flush()
        entry = Indicator(list=list_, kind="wallet", value="0xbad", label=label, added=NOON)
        entry.subject, entry.expires = "wallet:0xbad", expires  # type: ignore[assignment]
        writing.add(entry)

    with session(opened) as writing:
        assert severity.raise_by_roles(writing, 1, ROLES, NOON) is is_worse


def test_what_a_person_said_stands(opened: Database) -> None:
    with session(opened) as writing:
        labels.put(writing, "wallet:0xbad", "treasury", "user:ines", None, NOON)
        lifecycle.rate(writing, 1, Severity.LOW, "user:ines", NOON)

    with session(opened) as writing:
        assert not severity.raise_by_roles(writing, 1, ROLES, NOON)
    assert how_bad(opened) == "low"


def test_the_rules_of_a_chain_belong_together_whoever_they_name(
    database: Database, finding: Callable[..., Finding]
) -> None:
    policy = Incidents(chains=(("break-in", "take-over"),))
    found = [
        finding("account:eve", "break-in"),
        finding("wallet:0xb", "take-over"),
        finding("wallet:0xc", "other"),
    ]
    with session(database) as writing:
        record(writing, found, {}, NOON, policy)

    with Session(database) as reading:
        assert len(reading.exec(select(Incident)).all()) == 2
        assert [(a.rule, a.joined_by) for a in lifecycle.alerts_of(reading, 1)] == [
            ("break-in", "opened this incident"),
            ("take-over", "shares the chain break-in, take-over with this incident"),
        ]
