"""A list is replaced as a whole, counts until it expires, and what it names is looked for in history."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlmodel import Session, col, select

from soc.app.listing import import_list
from soc.app.reloading import Reloading
from soc.app.suite import Suite
from soc.app.taking import store
from soc.clock import SettableClock
from soc.errors import ContentError, NotFound, Refused
from soc.incidents import suppressions
from soc.incidents.record import record
from soc.incidents.scope import Scope
from soc.incidents.suppressions import Mode, Wanted
from soc.intelligence import lists
from soc.intelligence.lists import About
from soc.logs.embedded import EmbeddedLog
from soc.store import indicators
from soc.store.session import reading, session
from soc.store.tables import Alert, AlertEvent, AuditRow, Indicator

BAD, OTHER = "0x" + "ba" * 20, "0x" + "0e" * 20
HEAD = "kind,value,confidence,expires,label\n"
Plain = dict[str, Any]


@pytest.fixture
def log(suite: Suite) -> Iterator[EmbeddedLog]:
    log = suite.log()
    yield log
    log.close()


def put(suite: Suite, rows: str, name: str = "bad") -> Plain:
    about = About(name, "role:security", "a partner")
    return import_list(suite, about, Path("f.csv"), (HEAD + rows).encode(), "auto", "user:ines")


def take(suite: Suite, log: EmbeddedLog, *events: Plain) -> None:
    given = [{"@timestamp": suite.clock.now().isoformat(), **event} for event in events]
    rows = suite.intake.read([(json.dumps(one).encode(), None) for one in given])
    store(suite, log, [("src", row) for row in rows])


def event(**more: Any) -> Plain:
    return {"event": {"dataset": "shop.audit", "action": "gift"}, **more}


def counts(made: Plain) -> tuple[int, ...]:
    return tuple(made[key] for key in ("version", "added", "changed", "removed", "unchanged"))


def test_the_same_file_twice_changes_nothing_and_an_update_replaces(suite: Suite) -> None:
    first = put(suite, f"wallet,{BAD},,,\nip,192.0.2.0/24,,,\n")
    again = put(suite, f"ip,192.0.2.0/24,,,\nwallet,{BAD},1.0,,\n")
    update = put(suite, f"wallet,{BAD},0.5,,\nwallet,{OTHER},,,\n")

    assert (counts(first), counts(again), counts(update)) == (
        (1, 2, 0, 0, 0), (1, 0, 0, 0, 2), (2, 1, 1, 1, 0)
    )  # fmt: skip
    with Session(suite.database) as looking:
        held = looking.exec(select(Indicator).order_by(col(Indicator.value))).all()
        acts = looking.exec(select(AuditRow.action)).all()
    assert [(row.value, row.confidence) for row in held] == [(OTHER, 1.0), (BAD, 0.5)]
    assert acts == ["list.import", "list.update"]


def test_a_mistake_imports_nothing(suite: Suite) -> None:
    put(suite, f"wallet,{BAD},,,\n")
    with pytest.raises(ContentError, match=r"f\.csv:3: value: write 0x"):
        put(suite, f"wallet,{OTHER},,,\nwallet,0x1,,,\n")
    with pytest.raises(Refused, match="a list is called by"):
        put(suite, f"wallet,{OTHER},,,\n", "Bad-Name")

    with reading(suite.database) as looking:
        assert indicators.values(looking, suite.clock.now()) == {"bad": (BAD,)}


def test_what_expired_counts_for_nothing(suite: Suite, clock: SettableClock) -> None:
    put(suite, f"wallet,{BAD},,2026-11-24,mixer\nip,192.0.2.0/24,,,\nip,192.0.2.7,,,scanner\n")

    def said() -> tuple[Plain, Plain, list[tuple[str, int, int]]]:
        with reading(suite.database) as looking:
            names = [f"wallet:{BAD}", "ip:192.0.2.7", "ip:198.51.100.1", "account:x"]
            labels = dict(indicators.labels_of(looking, names, clock.now()))
            values = indicators.values(looking, clock.now())
            return labels, values, indicators.standing(looking, clock.now())

    labels, values, standing = said()
    assert labels == {"ip:192.0.2.7": ["bad", "bad: scanner"], f"wallet:{BAD}": ["bad: mixer"]}
    assert values == {"bad": (BAD, "192.0.2.0/24", "192.0.2.7")}
    assert standing == [("bad", 1, 3)]
    clock.moment += timedelta(hours=12)
    labels, values, standing = said()
    assert list(labels) == ["ip:192.0.2.7"]
    assert values == {"bad": ("192.0.2.0/24", "192.0.2.7")}
    assert standing == [("bad", 1, 2)]


def test_a_list_is_forgotten_with_a_reason(suite: Suite) -> None:
    put(suite, f"wallet,{BAD},,,\n")
    with pytest.raises(Refused), session(suite.database) as writing:
        lists.remove(writing, "bad", " ", "user:ines", suite.clock.now())
    with session(suite.database) as writing:
        lists.remove(writing, "bad", "stale", "user:ines", suite.clock.now())

    with pytest.raises(NotFound), reading(suite.database) as looking:
        lists.get(looking, "bad")
    with Session(suite.database) as looking:
        assert looking.exec(select(Indicator)).all() == []


def test_what_is_new_is_looked_for_in_history(
    suite: Suite, log: EmbeddedLog, clock: SettableClock
) -> None:
    """A partner tells of a wallet, a network, a domain and a file; the day before they were here."""
    now = clock.now()
    clock.moment = now - timedelta(days=1)
    take(
        suite,
        log,
        *[event(wallet={"address": BAD.upper().replace("0X", "0x")})] * 30,
        event(counterparty={"address": BAD}, wallet={"address": OTHER}),
        event(source={"ip": "192.0.2.77"}),
        event(source={"ip": "198.51.100.1"}, message=f"{BAD} is only spoken of"),
        event(url={"domain": "bad.example", "full": "https://bad.example/x"}),
        event(file={"hash": {"sha256": "ab" * 32}}, user={"name": "eve"}),
        event(event={"action": "eve"}),
    )
    clock.moment = now
    rows = f"wallet,{BAD},0.9,,\nip,192.0.2.0/24,0.5,,\ndomain,bad.example,0.1,,\n"
    rows += f"hash,{'ab' * 32},,,\naccount,eve,,,\nwallet,{'0x' + '11' * 20},,,\n"

    made = put(suite, rows)

    assert made["history"] == {
        "looked_at": 36, "events": 34, "entities": 4, "alerts": 4, "problem": None
    }  # fmt: skip
    with Session(suite.database) as looking:
        found = looking.exec(select(Alert).order_by(col(Alert.entity))).all()
        wallet = next(alert for alert in found if alert.entity == f"wallet:{BAD}")
        copies = looking.exec(select(AlertEvent).where(col(AlertEvent.alert) == wallet.id)).all()
    assert [(a.entity, a.severity, a.count, a.rule) for a in found] == [
        ("account:eve", "high", 2, "indicator-in-history"),
        ("host:bad.example", "low", 1, "indicator-in-history"),
        ("ip:192.0.2.77", "medium", 1, "indicator-in-history"),
        (f"wallet:{BAD}", "high", 31, "indicator-in-history"),
    ]
    assert wallet.title == "0xbaba…baba was seen here before the list bad named it"
    assert len(copies) == 25
    assert put(suite, rows)["history"]["problem"] == "no entry is new"
    other = put(suite, f"wallet,{BAD},0.9,,\n", "theirs")
    assert other["history"]["alerts"] == 1
    with Session(suite.database) as looking:
        assert (
            len(looking.exec(select(Alert).where(col(Alert.entity) == f"wallet:{BAD}")).all()) == 2
        )


def rule(suite: Suite, name: str, selection: Plain) -> None:
    folder = suite.home.content("rules")
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "title": name,
        "name": name,
        "level": "low",
        "logsource": {"product": "shop", "service": "audit"},
        "detection": {"selection": selection, "condition": "selection"},
    }
    (folder / f"{name}.yml").write_text(yaml.safe_dump(made))


def alerts(suite: Suite) -> list[tuple[str, str]]:
    with Session(suite.database) as looking:
        found = looking.exec(select(Alert).order_by(col(Alert.id)))
        return sorted((a.rule, a.entity) for a in found if a.rule.startswith("listed"))


def test_rules_ask_lists_and_follow_their_changes_at_the_next_look(
    suite: Suite, log: EmbeddedLog, clock: SettableClock
) -> None:
    rule(suite, "listed-wallet", {"wallet.address|expand": "%bad%"})
    rule(suite, "listed-net", {"source.ip|cidr|expand": "%nets%"})
    put(suite, f"wallet,{BAD},,2026-11-24,\n")
    put(suite, "ip,192.0.2.0/24,,,\nip,198.51.100.7,,,\naccount,eve,,,\n", "nets")
    watch = suite.watch()
    assert [p for p in suite.rules.ruleset.failed if "listed" in p.path.stem] == []
    reloading = Reloading(suite, watch, every=0)

    def look(*events: Plain) -> list[tuple[str, str]]:
        take(suite, log, *events)
        reloading.look()
        watch.drain()
        return alerts(suite)

    here = event(wallet={"address": BAD}), event(source={"ip": "192.0.2.9"})
    expected = [("listed-net", "ip:192.0.2.9"), ("listed-wallet", f"wallet:{BAD}")]
    assert look(*here, event(source={"ip": "203.0.113.1"})) == expected

    put(suite, "ip,203.0.113.0/24,,,\n", "nets")
    expected = sorted([*expected, ("listed-net", "ip:203.0.113.1")])
    assert look(event(source={"ip": "203.0.113.1"}), event(source={"ip": "192.0.2.10"})) == expected

    clock.moment += timedelta(days=1)
    assert look(event(wallet={"address": BAD})) == expected


def test_a_rule_whose_list_is_gone_says_so(suite: Suite) -> None:
    rule(suite, "listed-net", {"source.ip|cidr|expand": "%nets%"})
    rule(suite, "listed-wallet", {"wallet.address|expand": "%bad%"})

    told = sorted(p.message for p in suite.rules.ruleset.failed if "listed" in p.path.stem)

    assert len(told) == 2
    assert "nothing says what the placeholder %bad% stands for" in " ".join(told)
    assert "nothing says what the placeholder %nets% stands for" in " ".join(told)


def test_a_list_is_a_scope_of_a_suppression(suite: Suite, finding: Any) -> None:
    put(suite, "ip,192.0.2.0/24,,,\nip,198.51.100.7,,,\n", "scanners")
    now = suite.clock.now()
    with session(suite.database) as writing:
        seen = suppressions.test(writing, Scope(entity="list:scanners"), now).seen
        wanted = Wanted(
            entity="list:scanners", owner="user:ines", reason="ours", mode=Mode.ACTIVE,
            until=now + timedelta(days=1), seen=seen,
        )  # fmt: skip
        suppressions.add(writing, wanted, "user:ines", now)
    with session(suite.database) as writing:
        found = [finding(f"ip:{one}") for one in ("192.0.2.9", "198.51.100.7", "203.0.113.1")]
        record(writing, found, {}, now, suite.settings.incidents)

    with Session(suite.database) as looking:
        states = looking.exec(select(Alert.state).order_by(col(Alert.id))).all()
    assert states == ["suppressed", "suppressed", "in_incident"]
