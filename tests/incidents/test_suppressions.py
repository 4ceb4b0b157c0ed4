"""A suppression hides what it says until it ends, counts it, and is saved by who saw what it hides."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session, col, select

from soc.clock import SettableClock
from soc.errors import Illegal, NotFound, Refused
from soc.incidents import lifecycle, suppressions
from soc.incidents.record import record
from soc.incidents.review import review
from soc.incidents.scope import Scope, parted, scope_of
from soc.incidents.suppressions import Mode, Wanted
from soc.model.finding import Finding, Match
from soc.model.value import Entity, Severity
from soc.store.session import Database, session
from soc.store.tables import Alert, AuditRow, Incident, Suppression, SuppressionHit
from soc.triage import Incidents
from tests.stores import blank

Make = Callable[..., Finding]
Put = Callable[..., object]
DAY = timedelta(days=1)


@pytest.fixture
def put(database: Database, clock: SettableClock) -> Put:
    def put(*findings: Finding) -> object:
        with session(database) as writing:
            return record(writing, findings, {}, clock.now(), Incidents())

    return put


def save(
    database: Database, now: datetime, mode: Mode = Mode.ACTIVE, days: float = 14, **scope: str
) -> int:
    """Test a scope and save it as somebody does who looked at the test."""
    wanted = Scope(**scope)
    with session(database) as writing:
        seen = suppressions.test(writing, wanted, now).seen
        row = suppressions.add(
            writing,
            Wanted(
                **scope,
                owner="user:ines",
                reason="a known scanner",
                mode=mode,
                until=now + days * DAY,
                seen=seen,
            ),
            "user:ines",
            now,
        )
        assert row.id is not None
        return row.id


def look(database: Database) -> tuple[list[Alert], list[Incident]]:
    with Session(database) as reading:
        found = select(Alert).order_by(col(Alert.id))
        return list(reading.exec(found)), list(reading.exec(select(Incident)))


def kept(database: Database, number: int = 1) -> Suppression:
    with Session(database) as reading:
        return reading.get_one(Suppression, number)


def test_an_active_one_hides_and_says_so(
    put: Put, finding: Make, database: Database, clock: SettableClock
) -> None:
    number = save(database, clock.now(), rule="some-rule")

    assert put(finding(count=3), finding(count=4)) == ()

    (alert,), incidents = look(database)
    assert (alert.state, alert.count, alert.incident, incidents) == ("suppressed", 7, None, [])
    row = kept(database)
    assert (row.alerts, row.findings, row.last_hit) == (1, 7, clock.now())
    with session(database) as reading:
        ((by, hit),) = suppressions.of_alert(reading, alert.id or 0)
    assert (by.id, hit.findings) == (number, 7)


def test_in_monitor_nothing_is_hidden_and_all_is_counted(
    put: Put, finding: Make, database: Database, clock: SettableClock
) -> None:
    save(database, clock.now(), Mode.MONITOR, rule="some-rule")

    put(finding(), finding(), finding(rule="other"))

    found, incidents = look(database)
    assert [alert.state for alert in found] == ["in_incident", "in_incident"]
    assert len(incidents) == 1
    assert (kept(database).alerts, kept(database).findings) == (1, 2)


@pytest.mark.parametrize("end", ["clock", "person"])
def test_when_it_ends_the_same_key_opens_an_alert_again(
    put: Put, finding: Make, database: Database, clock: SettableClock, end: str
) -> None:
    number = save(database, clock.now(), days=1, rule="some-rule")
    again = finding()
    put(again)

    if end == "clock":
        clock.moment += DAY - timedelta(microseconds=1)
        put(again)
        assert [alert.count for alert in look(database)[0]] == [2]
        clock.moment += timedelta(microseconds=1)
    else:
        with session(database) as writing:
            suppressions.withdraw(writing, number, "it is real", "user:ines", clock.now())
    put(again)
    put(again)

    hidden, shown = look(database)[0]
    assert (hidden.state, shown.state, shown.count) == ("suppressed", "in_incident", 2)
    assert shown.key == f"{hidden.key}/2"


def test_an_open_alert_is_left_alone_and_goes_on_afterwards(
    put: Put, finding: Make, database: Database, clock: SettableClock
) -> None:
    put(finding())
    number = save(database, clock.now(), rule="some-rule")
    put(finding())
    with session(database) as writing:
        suppressions.withdraw(writing, number, "it is real", "user:ines", clock.now())
    put(finding())

    assert [(alert.state, alert.count) for alert in look(database)[0]] == [
        ("in_incident", 2),
        ("suppressed", 1),
    ]


def test_findings_about_the_suite_are_never_hidden(
    put: Put, finding: Make, database: Database, clock: SettableClock
) -> None:
    save(database, clock.now(), entity="source:nginx")

    put(finding("source:nginx", "soc-source-silent"), finding("source:nginx", "mine"))

    assert [alert.state for alert in look(database)[0]] == ["in_incident", "suppressed"]
    with pytest.raises(Refused, match="findings about the suite itself cannot be hidden"):
        scope_of(rule="soc-source-silent")


URL = Match(selection="s", field="url.path", value="/health")


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        pytest.param({"rule": "some-rule"}, True, id="rule"),
        pytest.param({"rule": "other"}, False, id="another rule"),
        pytest.param({"entity": "ip:192.0.2.7"}, True, id="address"),
        pytest.param({"entity": "ip:192.0.2.0/29"}, True, id="network"),
        pytest.param({"entity": "ip:192.0.2.8/29"}, False, id="another network"),
        pytest.param({"entity": "ip:2001:db8::/32"}, False, id="the other family"),
        pytest.param({"entity": "account:192.0.2.7"}, False, id="another kind"),
        pytest.param({"field": "url.path", "value": "/health"}, True, id="field"),
        pytest.param({"field": "url.path", "value": "/HEALTH"}, False, id="letter by letter"),
        pytest.param({"field": "url", "value": "/health"}, False, id="another field"),
        pytest.param({"entity": "list:scanners"}, False, id="no such list"),
        pytest.param({"rule": "some-rule", "entity": "ip:192.0.2.9"}, False, id="all must fit"),
    ],
)
def test_what_a_scope_covers(finding: Make, scope: dict[str, str], covers: bool) -> None:
    about = finding("ip:192.0.2.7", matched=(URL,))

    assert scope_of(**scope).hides(about, {}) is covers


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ({}, "at least one"),
        ({"field": "x"}, "write field and value together"),
        ({"entity": "nobody"}, "write kind:value"),
        ({"entity": "ip:192.0.2.0/99"}, "write a network"),
        ({"entity": "incident:INC-1"}, "close them"),
        ({"rule": "No Slug"}, "rule: "),
    ],
)
def test_a_scope_that_says_nothing_is_refused(scope: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        scope_of(**scope)
    with pytest.raises(Refused, match="write a matched field"):
        parted("just words")


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"seen": "x"}, Refused, "test it first"),
        ({"seen": "2026-11-23T12:00:00Z/sha256:0"}, Illegal, "not what was shown"),
        ({"seen": "2026-11-23T10:59:59Z/sha256:0"}, Illegal, "more than an hour old"),
        ({"seen": "2026-11-23T12:00:01Z/sha256:0"}, Illegal, "more than an hour old"),
        ({"reason": " "}, Refused, "reason"),
        ({"owner": " "}, Refused, "owner"),
        ({"until": timedelta(days=91)}, Refused, "within the next 90 days"),
        ({"until": timedelta(0)}, Refused, "within the next 90 days"),
        ({"entity": "list:none"}, Refused, "there is no list none"),
    ],
)
def test_what_is_not_whole_is_not_saved(
    database: Database,
    clock: SettableClock,
    change: dict[str, object],
    error: type[Exception],
    reason: str,
) -> None:
    now = clock.now()
    with session(database) as writing:
        seen = suppressions.test(writing, Scope(rule="some-rule"), now).seen
    span = change.get("until", DAY)
    given = {
        "rule": "some-rule",
        "owner": "user:ines",
        "reason": "r",
        "mode": Mode.ACTIVE,
        "until": now + span,
        "seen": seen,
    }

    with pytest.raises(error, match=reason), session(database) as writing:
        suppressions.add(
            writing, Wanted(**{**given, **change, "until": now + span}), "user:ines", now
        )

    with Session(database) as reading:
        assert reading.exec(select(Suppression)).all() == []
        assert reading.exec(select(AuditRow)).all() == []


def test_a_verdict_that_came_meanwhile_must_be_looked_at(
    put: Put, finding: Make, database: Database, clock: SettableClock
) -> None:
    put(finding())
    scope = Scope(rule="some-rule")
    with session(database) as writing:
        shown = suppressions.test(writing, scope, clock.now())
    clock.moment += timedelta(minutes=5)
    with session(database) as writing:
        lifecycle.close(writing, 1, "true_positive", "it was", "user:ines", clock.now())

    wanted = Wanted(
        rule="some-rule",
        owner="user:ines",
        reason="r",
        mode=Mode.ACTIVE,
        until=clock.now() + DAY,
        seen=shown.seen,
    )
    with pytest.raises(Illegal, match="not what was shown"), session(database) as writing:
        suppressions.add(writing, wanted, "user:ines", clock.now())
    with session(database) as writing:
        assert suppressions.test(writing, scope, clock.now()).true_positives == ("INC-1",)


def test_it_is_on_the_record_and_ends_once(database: Database, clock: SettableClock) -> None:
    number = save(database, clock.now(), rule="some-rule")
    with session(database) as writing:
        suppressions.withdraw(writing, number, "done", "user:bob", clock.now())

    with Session(database) as reading:
        acts = [json.loads(row.record) for row in reading.exec(select(AuditRow))]
    assert [(act["actor"], act["action"], act["object"]) for act in acts] == [
        ("user:ines", "suppression.add", "suppression:1"),
        ("user:bob", "suppression.withdraw", "suppression:1"),
    ]
    with pytest.raises(Illegal, match="SUP-1 is withdrawn"), session(database) as writing:
        suppressions.withdraw(writing, number, "again", "user:bob", clock.now())
    with pytest.raises(NotFound), session(database) as writing:
        suppressions.withdraw(writing, 7, "none", "user:bob", clock.now())
    with pytest.raises(Refused), session(database) as writing:
        suppressions.withdraw(writing, number, " ", "user:bob", clock.now())


RULES, PEOPLE = ("a", "b", "soc-c"), ("wallet:0x1", "wallet:0x2", "ip:192.0.2.1", "ip:192.0.2.200")
SCOPES = st.sampled_from(
    [
        {"rule": "a"},
        {"rule": "b", "entity": "wallet:0x1"},
        {"entity": "ip:192.0.2.0/25"},
        {"entity": "wallet:0x2"},
        {"field": "f", "value": "1"},
    ]
)
SEEN = st.lists(
    st.tuples(
        st.sampled_from(RULES), st.sampled_from(PEOPLE), st.sampled_from("12"), st.integers(0, 3)
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(SEEN, st.lists(st.tuples(SCOPES, st.sampled_from(list(Mode))), max_size=4), st.randoms())
def test_what_is_hidden_is_what_the_scopes_say_in_any_order(
    seen: list[tuple[str, str, str, int]], asked: list[tuple[dict[str, str], Mode]], chance
) -> None:
    """Whatever the order and the cut of findings, each suppression counts what its scope says."""
    now = datetime.fromisoformat("2026-11-23T12:00:00Z")
    shuffled = list(seen)
    chance.shuffle(shuffled)
    counted = []
    for order, together in ((seen, True), (shuffled, False)):
        database = blank()
        for scope, mode in asked:
            save(database, now, mode, **scope)
        findings = [
            _about(rule, who, value, now + hours * timedelta(hours=1))
            for rule, who, value, hours in order
        ]
        cuts = [findings] if together else [[one] for one in findings]
        for cut in cuts:
            with session(database) as writing:
                record(writing, cut, {}, now, Incidents())
        with Session(database) as reading:
            rows = reading.exec(select(Suppression).order_by(col(Suppression.id))).all()
            states = Counter(
                (a.rule, a.entity, a.state == "suppressed")
                for a in reading.exec(select(Alert))
                for _ in range(a.count)
            )
        counted.append(([(row.id, row.findings) for row in rows], states))

    assert counted[0] == counted[1]
    active = [Scope(**scope) for scope, mode in asked if mode is Mode.ACTIVE]
    hides = Counter(
        (rule, who, any(scope.hides(_about(rule, who, value, now), {}) for scope in active))
        for rule, who, value, _ in seen
    )
    assert counted[0][1] == hides
    for number, (scope, mode) in enumerate(asked, 1):
        mine = sum(Scope(**scope).hides(_about(r, w, v, now), {}) for r, w, v, _ in seen)
        got = dict(counted[0][0])[number]
        assert got == mine if mode is Mode.MONITOR else got <= mine


def _about(rule: str, who: str, value: str, at: datetime) -> Finding:
    entity = Entity.parse(who)
    return Finding(
        rule=rule, rule_digest="", title="t", severity=Severity.MEDIUM, entity=entity, entities=(entity,),
        bucket=at, first=at, last=at, matched=(Match(selection="s", field="f", value=value),),
    )  # fmt: skip


def test_no_count_is_lost_where_many_write_at_once(
    finding: Make, database: Database, clock: SettableClock
) -> None:
    save(database, clock.now(), rule="some-rule")

    def write(worker: int) -> None:
        for turn in range(5):
            with session(database) as writing:
                record(
                    writing,
                    [finding(f"wallet:0x{worker}{turn}"), finding()],
                    {},
                    clock.now(),
                    Incidents(),
                )

    threads = [Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    row = kept(database)
    with Session(database) as reading:
        hits = reading.exec(select(SuppressionHit)).all()
    assert (row.alerts, row.findings) == (21, 40)
    assert (len(hits), sum(hit.findings for hit in hits)) == (21, 40)


PLAIN = text(
    "SELECT count(*), coalesce(sum(a.count), 0), count(DISTINCT a.incident),"
    " count(DISTINCT CASE WHEN i.verdict = 'true_positive' THEN i.id END),"
    " count(CASE WHEN i.verdict IS NULL THEN 1 END)"
    " FROM alert a LEFT JOIN incident i ON i.id = a.incident"
    " WHERE a.rule = 'some-rule' AND a.entity = 'wallet:0xbad' AND a.state <> 'suppressed'"
    " AND a.created > :since AND a.created <= :until"
)


def test_the_back_test_is_what_plain_sql_counts(
    put: Put, finding: Make, database: Database, clock: SettableClock
) -> None:
    """The query imports nothing of the product: it reads the tables as they are."""
    begun = clock.now()
    for day in range(100):
        clock.moment = begun - timedelta(days=99 - day)
        put(finding(at=clock.now(), count=day + 1), finding("wallet:0xother", at=clock.now()))
    with session(database) as writing:
        for number, verdict in (
            (61, "true_positive"),
            (63, "false_positive"),
            (5, "true_positive"),
        ):
            lifecycle.close(writing, number, verdict, "n", "user:ines", clock.now())

    with session(database) as writing:
        found = suppressions.test(
            writing, Scope(rule="some-rule", entity="wallet:0xbad"), clock.now()
        )
        given = {"since": clock.now() - timedelta(days=90), "until": clock.now()}
        if writing.get_bind().dialect.name == "sqlite":
            given = {name: at.strftime("%Y-%m-%d %H:%M:%S.%f") for name, at in given.items()}
        told = writing.connection().execute(PLAIN, given).one()

    undecided = found.verdicts.get("undecided", 0)
    assert tuple(told) == (
        found.alerts, found.findings, found.incidents, len(found.true_positives), undecided
    )  # fmt: skip
    assert found.alerts == 90
    assert sum(found.verdicts.values()) == 90
    assert found.words.startswith("would have hidden 90 alerts in 90 days, 1 true positive: INC-61")


def rules(found: list[Finding]) -> list[str]:
    return [one.rule for one in found]


def test_who_owns_one_is_told_once_what_to_know(
    put: Put, finding: Make, database: Database, clock: SettableClock
) -> None:
    begun = clock.now()
    save(database, begun, days=90, rule="some-rule")
    save(database, begun, days=90, rule="silent")

    def told() -> list[str]:
        with session(database) as writing:
            return rules(review(writing, clock.now()))

    assert told() == []
    clock.moment = begun + timedelta(days=29)
    put(finding(at=clock.now()), finding("wallet:0xbad", "other", at=clock.now()))
    with session(database) as writing:
        lifecycle.close(writing, 1, "true_positive", "it was", "user:ines", clock.now())
    clock.moment = begun + timedelta(days=30)
    assert told() == ["soc-suppression-doubtful", "soc-suppression-idle"]
    assert told() == []
    clock.moment = begun + timedelta(days=84)
    assert told() == ["soc-suppression-idle", "soc-suppression-ending"] * 2
    assert told() == []
    clock.moment = begun + timedelta(days=91)
    assert told() == []
