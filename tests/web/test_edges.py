"""What edges and proxies are told."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from starlette.testclient import TestClient

from soc.clock import SettableClock
from soc.model.finding import Finding
from soc.respond import ledger
from soc.store.session import session
from soc.store.tables import Edge, Effect
from soc.web.edges import Gate
from soc.web.front import Front

Headers = dict[str, dict[str, str]]


@pytest.fixture
def held(front: Front, clock: SettableClock) -> None:
    now = clock.now()
    with session(front.suite.database) as writing:
        for name, kind, rate, burst in (("EF-1", "quarantine", 0, 0), ("EF-2", "rate_limit", 6, 2)):
            effect = Effect(
                id=name, action="a", subject=f"wallet:0x{name[-1]}", kind=kind, rate=rate, burst=burst,
                state="proposed", created=now, until=now + timedelta(hours=1),
            )  # fmt: skip
            ledger.enforce(writing, effect, now)


def ask(
    client: TestClient, tokens: Headers, subject: str, query: str = ""
) -> tuple[int, str | None]:
    answer = client.get(f"/authz{query}", headers={**tokens["authz"], "X-Soc-Subject": subject})
    return answer.status_code, answer.headers.get("x-soc-effect")


def test_a_subject_is_answered_by_what_is_in_force(
    client: TestClient, tokens: Headers, held: None, clock: SettableClock
) -> None:
    assert ask(client, tokens, "wallet:0x9") == (200, None)
    assert ask(client, tokens, "wallet:0X1") == (403, "EF-1")
    assert [ask(client, tokens, "wallet:0x2")[0] for _ in range(3)] == [200, 200, 429]
    assert ask(client, tokens, "wallet:0x2", "?deny=403") == (403, "EF-2")

    clock.moment += timedelta(hours=1)

    assert ask(client, tokens, "wallet:0x1") == (200, None)


def test_a_doubled_or_missing_subject_is_refused(client: TestClient, tokens: Headers) -> None:
    doubled = [
        ("X-Soc-Subject", "wallet:0x1"),
        ("X-Soc-Subject", "wallet:0x2"),
        *tokens["authz"].items(),
    ]

    assert client.get("/authz", headers=doubled).status_code == 403
    assert client.get("/authz", headers=tokens["authz"]).status_code == 403


def test_edges_get_what_changed_and_are_remembered(
    client: TestClient, tokens: Headers, held: None, front: Front
) -> None:
    answer = client.get("/v1/edge/rules?after=0&wait=0", headers=tokens["authz"]).json()
    said = {"edge": "app", "version": 2, "skew_ms": 3, "applied": 2, "failed": 0}
    reported = client.post("/v1/edge/report", json=said, headers=tokens["authz"])

    assert (answer["version"], answer["full"], len(answer["rules"])) == (2, True, 2)
    assert set(answer["rules"][0]) == {"subject", "kind", "rate", "burst", "until", "effect"}
    assert reported.status_code == 204
    with session(front.suite.database) as reading:
        assert reading.get_one(Edge, "app").applied == 2


@pytest.mark.parametrize("scope", [None, "read", "ingest"])
@pytest.mark.parametrize("path", ["/authz", "/v1/edge/rules"])
def test_only_edges_are_told(
    client: TestClient, tokens: Headers, scope: str | None, path: str
) -> None:
    headers = tokens[scope] if scope else {}

    assert client.get(path, headers=headers).status_code == (403 if scope else 401)


def test_the_api_lifts_with_a_reason_and_closes_with_a_verdict(
    client: TestClient, tokens: Headers, held: None, front: Front, finding: Callable[..., Finding]
) -> None:
    from soc.incidents.record import record
    from soc.triage import Incidents

    with session(front.suite.database) as writing:
        record(writing, [finding()], {}, front.suite.clock.now(), Incidents())

    no_reason = client.post(
        "/api/v1/effects/EF-1/lift", json={"reason": ""}, headers=tokens["person"]
    )
    lifted = client.post(
        "/api/v1/effects/EF-1/lift", json={"reason": "cleared"}, headers=tokens["person"]
    )
    again = client.post(
        "/api/v1/effects/EF-1/lift", json={"reason": "cleared"}, headers=tokens["person"]
    )
    reader = client.post("/api/v1/effects/EF-2/lift", json={"reason": "x"}, headers=tokens["read"])
    no_verdict = client.post(
        "/api/v1/incidents/INC-1/close", json={"note": "x"}, headers=tokens["person"]
    )
    closed = client.post(
        "/api/v1/incidents/INC-1/close",
        json={"verdict": "test", "note": "x"},
        headers=tokens["person"],
    )
    missing = client.get("/api/v1/incidents/INC-9", headers=tokens["person"])

    assert no_reason.status_code == 422
    assert (lifted.status_code, lifted.json()["state"]) == (202, "lifting")
    assert (again.status_code, reader.status_code) == (409, 403)
    assert (no_verdict.status_code, closed.status_code, missing.status_code) == (422, 200, 404)
    assert closed.json()["state"] == "closed"


@pytest.mark.parametrize(
    "subject",
    [
        "0x1", "wallet: 0x1", "wallet:", "wallet:0x1,x", "wallet:0x1 0x2", "Wallet:0x1", "host:a",
        "ip:", "ip:none", "ip:192.0.2.0/99", "account:a,b", "account:",
    ],
)  # fmt: skip
def test_what_is_no_subject_may_not_act(
    client: TestClient, tokens: Headers, held: None, subject: str
) -> None:
    answer = client.get("/authz", headers={**tokens["authz"], "X-Soc-Subject": subject})

    assert answer.status_code == 403
    assert answer.json()["reason"]


@pytest.mark.parametrize(
    "subject", ["wallet:0x9", "wallet:eip155:1:0xAb", "account:ines@example.org", "ip:2001:db8::1"]
)
def test_what_is_a_subject_may_act(client: TestClient, tokens: Headers, subject: str) -> None:
    assert ask(client, tokens, subject) == (200, None)


def test_an_older_change_never_undoes_a_newer_one(
    front: Front, held: None, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread holds the news of an effect while another learns that it was lifted."""
    gate = Gate(front)
    gate.refusal("wallet:0x9", clock.now())
    with session(front.suite.database) as writing:
        effect = Effect(
            id="EF-3", action="a", subject="wallet:0x3", kind="quarantine", state="proposed",
            created=clock.now(), until=clock.now() + timedelta(hours=1),
        )  # fmt: skip
        ledger.enforce(writing, effect, clock.now())
    change, holds, goes_on = gate._snapshot.change, Event(), Event()

    def slow(*news: Any) -> None:
        if not holds.is_set():
            holds.set()
            goes_on.wait(0.5)
        change(*news)

    monkeypatch.setattr(gate._snapshot, "change", slow)
    first = Thread(target=gate.refusal, args=("wallet:0x9", clock.now()))
    second = Thread(target=gate.refusal, args=("wallet:0x9", clock.now()))
    first.start()
    holds.wait(5)
    with session(front.suite.database) as writing:
        ledger.lift(writing, "EF-3", "user:x", clock.now())
    second.start()
    second.join(0.25)
    early = not second.is_alive()
    goes_on.set()
    first.join()
    second.join()

    assert not early
    assert gate.refusal("wallet:0x3", clock.now()) is None
