"""What an incident's wallets move is reckoned from the round's gifts, and says how bad it is."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlmodel import Session, select

from soc.app.assessing import Assessing
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.funding import book
from soc.incidents import lifecycle, money
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.model.value import Entity, Severity
from soc.store.session import session
from soc.store.tables import AuditRow, Donation, Effect, Incident, Round
from soc.triage import Incidents
from tests.conftest import NOON
from tests.funding.played import RING, give, open_round, play

Make = Callable[..., Finding]


@pytest.fixture
def played(suite: Suite) -> Suite:
    play(suite.database)
    return suite


def look(suite: Suite) -> tuple[Incident, dict[str, Any]]:
    with Session(suite.database) as reading:
        incident = reading.exec(select(Incident)).one()
        return incident, money.at_risk_whole(reading, incident) or {}


def raises(suite: Suite) -> list[dict[str, Any]]:
    with Session(suite.database) as reading:
        rows = reading.exec(select(AuditRow).where(AuditRow.action == "incident.rate"))
        return [orjson.loads(row.record) for row in rows]


def test_half_of_the_pool_is_at_risk_and_makes_the_incident_critical(played: Suite) -> None:
    assert Assessing(played).look() == [1]

    incident, told = look(played)
    assert (incident.money_at_risk, incident.severity) == ("500", "critical")
    assert (told["share"], told["lost"], told["suspects"], told["donors"]) == (0.5, "500", 4, 8)
    changes = {p["project"]: (p["counted"], p["left_out"], p["change"]) for p in told["projects"]}
    assert changes == {"bad": ("500", "0", "500"), "good": ("500", "1000", "-500")}


def test_the_rise_is_an_act_that_says_why(played: Suite) -> None:
    Assessing(played).look()

    (act,) = raises(played)
    assert act["actor"] == "soc"
    assert act["reason"] == "50.0 % of the pool of r would move: medium became critical"


def test_what_did_not_change_is_not_assessed_again_until_it_is_due(
    played: Suite, clock: SettableClock
) -> None:
    assessing = Assessing(played)
    assessing.look()
    first = look(played)[0].assessed
    clock.moment += timedelta(minutes=5)

    assessing.look()
    assert look(played)[0].assessed == first

    clock.moment += timedelta(minutes=10)
    assessing.look()
    assert look(played)[0].assessed == clock.moment


def test_an_incident_that_gains_a_wallet_is_assessed_at_once(
    played: Suite, clock: SettableClock, finding: Make
) -> None:
    Assessing(played).look()
    clock.moment += timedelta(seconds=10)
    both = (Entity.parse("wallet:0xf0"), Entity.parse("wallet:0xa0"))
    with session(played.database) as writing:
        found = finding("wallet:0xf0", rule="another", entities=both)
        record(writing, [found], {}, clock.now(), Incidents())

    Assessing(played).look()

    assert look(played)[1]["suspects"] == 5


def test_what_a_person_rated_stands(played: Suite) -> None:
    with session(played.database) as writing:
        lifecycle.rate(writing, 1, Severity.LOW, "user:ines", NOON)

    assert Assessing(played).look() == []

    incident, _ = look(played)
    assert (incident.severity, incident.money_at_risk) == ("low", "500")


def test_what_a_playbook_rated_does_not_stand(played: Suite) -> None:
    with session(played.database) as writing:
        lifecycle.rate(writing, 1, Severity.LOW, "playbook:some", NOON)

    assert Assessing(played).look() == [1]


def test_a_critical_incident_is_not_made_less_severe(played: Suite) -> None:
    with session(played.database) as writing:
        writing.get_one(Incident, 1).severity = "critical"
        for wallet in RING[1:]:
            writing.delete(writing.get_one(Donation, f"r/bad/{wallet}"))

    assert Assessing(played).look() == []

    incident, _ = look(played)
    assert (incident.severity, incident.money_at_risk) == ("critical", "0")


def test_a_weight_in_force_lowers_what_is_at_risk(played: Suite) -> None:
    with session(played.database) as writing:
        for wallet in RING:
            put_weight(writing, wallet, 0.01)

    Assessing(played).look()

    incident, told = look(played)
    # 4 wallets of 1 each: (4*1)^2 - 4 = 12 beside (4*10)^2 - 400 = 1200, of a pool of 1000.
    assert incident.money_at_risk == str(round(1000 * 12 / 1212))
    assert (incident.severity, told["share"]) == ("high", 0.01)


def put_weight(writing: Session, wallet: str, weight: float, **more: Any) -> None:
    said = {"weight": weight, **({"round": more.pop("round")} if "round" in more else {})}
    given = {"state": "active", "until": NOON + timedelta(hours=1), **more}
    writing.add(
        Effect(
            id=f"EFF-{wallet}-{weight}",
            action="wallet.weight",
            subject=f"wallet:{wallet}",
            kind="weight",
            details_json=orjson.dumps(said).decode(),
            created=NOON,
            **given,
        )
    )


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"state": "lifted"}, id="lifted"),
        pytest.param({"state": "proposed"}, id="only proposed"),
        pytest.param({"until": NOON}, id="over"),
        pytest.param({"round": "another"}, id="of another round"),
    ],
)
def test_a_weight_that_is_not_in_force_here_changes_nothing(
    played: Suite, more: dict[str, Any]
) -> None:
    with session(played.database) as writing:
        for wallet in RING:
            put_weight(writing, wallet, 0.0, **more)

    Assessing(played).look()

    assert look(played)[0].money_at_risk == "500"


def test_of_two_weights_the_smaller_counts(played: Suite) -> None:
    with session(played.database) as writing:
        for wallet in RING:
            put_weight(writing, wallet, 0.5)
            put_weight(writing, wallet, 0.0, round="r")

    Assessing(played).look()

    assert look(played)[0].money_at_risk == "0"


def test_gifts_that_are_only_announced_do_not_count(played: Suite) -> None:
    with session(played.database) as writing:
        for wallet in RING:
            writing.get_one(Donation, f"r/bad/{wallet}").on_chain = None

    Assessing(played).look()

    incident, told = look(played)
    assert incident.money_at_risk is None
    assert told["reason"] == "none of its 4 wallets has given to a round on chain"


def test_without_a_pool_nothing_is_said(played: Suite) -> None:
    with session(played.database) as writing:
        writing.get_one(Round, "r").pool = "0"

    Assessing(played).look()

    incident, told = look(played)
    assert (incident.money_at_risk, told["reason"]) == (None, "no pool is known of r")


def test_a_round_that_is_too_large_is_said_to_be(
    played: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MOST_GIFTS", 3)

    Assessing(played).look()

    incident, told = look(played)
    assert incident.money_at_risk is None
    assert told["reason"] == "r has more than 3 gifts: none are matched here"


def test_the_round_that_is_hit_worst_is_told_and_the_other_beside_it(played: Suite) -> None:
    with session(played.database) as writing:
        open_round(writing, pool=10**9, name="huge")
        for wallet in RING:
            give(writing, "bad", wallet, 100, round_="huge")

    Assessing(played).look()

    _, told = look(played)
    assert told["round"] == "r"
    assert [(one["round"], one["at_risk"]) for one in told["elsewhere"]] == [("huge", "1200")]


def test_incidents_about_the_suite_are_not_assessed(suite: Suite, finding: Make) -> None:
    with session(suite.database) as writing:
        record(writing, [finding("source:x", rule="soc-some")], {}, NOON, Incidents())

    Assessing(suite).look()

    assert look(suite)[0].assessed is None


def test_a_closed_incident_keeps_what_it_was(played: Suite) -> None:
    Assessing(played).look()
    with session(played.database) as writing:
        lifecycle.close(writing, 1, "true_positive", "a ring", "user:ines", NOON)
        writing.get_one(Round, "r").pool = "1"

    Assessing(played).look()

    assert look(played)[0].money_at_risk == "500"
