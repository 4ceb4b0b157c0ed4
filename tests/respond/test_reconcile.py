"""What should be in force, against what each edge says."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from soc.app.edges import Edges as Telling
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.respond import ledger, reconcile
from soc.settings import Edges
from soc.store.session import Database, session
from soc.store.tables import Alert, Edge, Effect, Incident
from tests.respond.effects import enforce

POLICY = Edges()
NOON = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
Say = Callable[..., None]


def said(name: str = "shop", at: datetime = NOON, **more: int) -> Edge:
    given = {"version": 1, "skew_ms": 0, "applied": 1, "failed": 0, **more}
    return Edge(name=name, reported=at, **given)


JUDGED = {
    "all is well": (said(), None, 0, []),
    "a change is young": (said(), timedelta(seconds=59), 0, []),
    "a change is missed for long": (said(), timedelta(seconds=61), 0, ["soc-edge-behind"]),
    "rules cannot be read": (said(failed=2), None, 0, ["soc-edge-failed"]),
    "too few rules": (said(drift=-1), None, 0, ["soc-edge-drift"]),
    "rules that are over": (said(drift=3), None, 0, ["soc-edge-expiry"]),
    "a clock that is ahead": (said(skew_ms=5001), None, 0, ["soc-edge-skew"]),
    "a clock that is behind": (said(skew_ms=-5001), None, 0, ["soc-edge-skew"]),
    "a clock within tolerance": (said(skew_ms=-5000), None, 0, []),
    "not heard of for a while": (said(), None, 90, []),
    "not heard of": (said(failed=1), timedelta(hours=1), 91, ["soc-edge-silent"]),
    "several at once": (said(failed=1, skew_ms=9000), None, 0, ["soc-edge-failed", "soc-edge-skew"]),
}  # fmt: skip


@pytest.mark.parametrize(("edge", "missed", "later", "rules"), JUDGED.values(), ids=JUDGED)
def test_an_edge_is_judged_by_what_it_said(
    edge: Edge, missed: timedelta | None, later: int, rules: list[str]
) -> None:
    now = NOON + timedelta(seconds=later)

    found = reconcile.judge(edge, missed and now - missed, 2, POLICY, now)

    assert [one.rule for one in found] == rules
    assert all(one.about == "edge shop" and one.reason for one in found)


@pytest.fixture
def say(database: Database, clock: SettableClock) -> Say:
    """Let an edge report, now."""

    def say(name: str, **more: int) -> None:
        with session(database) as writing:
            reconcile.heard(writing, said(name, clock.now(), **more), POLICY)

    return say


def verified(database: Database) -> list[str]:
    with Session(database) as looking:
        found = select(Effect.id).where(col(Effect.verified).is_not(None))
        return sorted(looking.exec(found))


def test_an_effect_is_verified_when_every_live_edge_obeys_it(
    database: Database, clock: SettableClock, say: Say
) -> None:
    say("old", version=0, applied=0)
    clock.moment += timedelta(minutes=5)
    say("web", version=0, applied=0)
    with session(database) as writing:
        enforce(writing, "EF-1", clock.now())
        enforce(writing, "EF-2", clock.now())

    say("shop", version=1)
    assert verified(database) == []
    say("web", version=1)
    assert verified(database) == ["EF-1"]
    say("web", version=2, failed=1)
    say("shop", version=2)
    assert verified(database) == ["EF-1"]
    say("web", version=2, applied=2)
    assert verified(database) == ["EF-1", "EF-2"]

    with Session(database) as looking:
        assert looking.get_one(Effect, "EF-2").receipt == "ledger 2; obeyed by shop 2, web 2"


def test_without_any_edge_nothing_is_verified(database: Database, clock: SettableClock) -> None:
    with session(database) as writing:
        enforce(writing, "EF-1", clock.now())
        assert reconcile.verify(writing, POLICY, clock.now()) == 0

    assert verified(database) == []


def test_what_no_edge_obeys_needs_no_edge(
    database: Database, clock: SettableClock, say: Say
) -> None:
    with session(database) as writing:
        enforce(writing, "EF-1", clock.now(), kind="weight", details_json='{"weight":0.5}')

    say("shop", version=1, applied=0)

    assert verified(database) == ["EF-1"]
    with Session(database) as looking:
        assert ledger.rules_after(looking, 0, clock.now())["rules"] == []
        assert looking.get_one(Edge, "shop").drift == 0


@pytest.mark.parametrize(("applied", "drift"), [(0, -1), (1, 0), (2, 0), (3, 1)])
def test_the_rules_of_an_edge_are_counted_where_it_is_up_to_date(
    database: Database, clock: SettableClock, say: Say, applied: int, drift: int
) -> None:
    """One of two rules ends in three seconds: our clock and the edge's may differ by more."""
    with session(database) as writing:
        enforce(writing, "EF-1", clock.now())
        enforce(writing, "EF-2", clock.now(), lasts=timedelta(seconds=3))

    say("shop", version=2, applied=applied)
    say("late", version=1, applied=9)

    with Session(database) as looking:
        assert looking.get_one(Edge, "shop").drift == drift
        assert looking.get_one(Edge, "late").drift == 0


def test_each_trouble_is_told_once_an_hour_and_a_lost_edge_is_forgotten_at_last(
    suite: Suite, clock: SettableClock
) -> None:
    with session(suite.database) as writing:
        enforce(writing, "EF-1", clock.now(), lasts=timedelta(days=3))
        reconcile.heard(writing, said("shop", clock.now(), version=0, applied=0), POLICY)
    telling = Telling(suite)

    assert telling.look() == []
    clock.moment += timedelta(seconds=80)
    assert telling.look() == ["soc-edge-behind"]
    clock.moment += timedelta(seconds=20)
    assert telling.look() == ["soc-edge-silent"]
    assert telling.look() == []
    clock.moment += timedelta(hours=1)
    assert telling.look() == ["soc-edge-silent"]
    clock.moment += timedelta(hours=24)
    assert telling.look() == []

    with Session(suite.database) as looking:
        alerts = looking.exec(select(Alert).order_by(col(Alert.id))).all()
        assert [a.rule for a in alerts] == ["soc-edge-behind", *["soc-edge-silent"] * 2]
        assert {a.entity for a in alerts} == {"source:edge shop"}
        assert all(i.operations for i in looking.exec(select(Incident)))
        assert looking.get(Edge, "shop") is None


def test_an_effect_that_nobody_ends_is_told(suite: Suite, clock: SettableClock) -> None:
    with session(suite.database) as writing:
        enforce(writing, "EF-1", clock.now(), lasts=timedelta(seconds=5))
    clock.moment += timedelta(seconds=66)

    assert Telling(suite).look() == ["soc-edge-expiry"]
