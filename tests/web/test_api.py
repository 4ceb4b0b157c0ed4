"""The API is limited, tells its limits, and has an answer for every number."""

import json
from ipaddress import ip_address
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from soc.access import keys
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.web.app import build
from soc.web.front import Front, address_of

Headers = dict[str, dict[str, str]]


def test_a_limit_hit_is_429_and_an_event_once_a_minute_and_bulk_is_not_counted(
    home: Path, clock: SettableClock
) -> None:
    (home / "settings.yml").write_text("web: {api_per_minute: 3}\n")
    suite = Suite(home, clock)
    log = suite.log()
    with TestClient(build(Front(suite, log)), client=("192.0.2.7", 9)) as client:
        statuses = [client.get("/api/v1/incidents").status_code for _ in range(6)]
        bulk = [client.post("/_bulk", content=b"").status_code for _ in range(6)]
        authz = [client.get("/authz").status_code for _ in range(6)]

    assert statuses == [401, 401, 401, 429, 429, 429]
    assert (set(bulk), set(authz)) == ({401}, {401})
    told = [json.loads(raw) for raw in log.reader.scan(0, 10).column("raw")]
    assert [(t["event"]["action"], t["source"]["ip"]) for t in told] == [("limit", "192.0.2.7")]
    log.close()
    suite.database.dispose()


@pytest.mark.parametrize(
    "name", ["incidents/INC-0", "incidents/INC-99999999999999999999", "incidents/x"]
)
def test_no_such_incident(client: TestClient, tokens: Headers, name: str) -> None:
    assert client.get(f"/api/v1/{name}", headers=tokens["read"]).status_code == 404


@pytest.mark.parametrize("kind", ["alerts", "runs", "approvals"])
@pytest.mark.parametrize(
    ("number", "status"), [("1", 404), ("0", 422), ("9" * 30, 422), ("x", 422)]
)
def test_no_such_number(
    client: TestClient, tokens: Headers, kind: str, number: str, status: int
) -> None:
    assert client.get(f"/api/v1/{kind}/{number}", headers=tokens["read"]).status_code == status


def test_every_route_of_the_api_needs_a_permission(client: TestClient) -> None:
    """No path under /api/v1 answers to nobody."""
    paths = client.get("/api/openapi.json").json()["paths"]
    open_ = []
    for path, methods in sorted(paths.items()):
        for method in sorted(methods):
            target = path.replace("{number}", "1").replace("{name}", "INC-1")
            answer = client.request(method, target, json={})
            if path.startswith(("/api/v1", "/v1", "/authz")) and answer.status_code not in {
                401,
                422,
            }:
                open_.append((method, path, answer.status_code))

    assert open_ == []
    assert len(paths) > 15


BEYOND = str(10**20)
UNKEPT = {
    "rejects": ("GET", f"/api/v1/rejects?after={BEYOND}", None),
    "replay": ("POST", f"/api/v1/rejects/replay?after={BEYOND}", None),
    "rules": ("GET", f"/v1/edge/rules?after={BEYOND}", None),
    "report": ("POST", "/v1/edge/report", {"edge": "e", "version": 2**70}),
    "skew": ("POST", "/v1/edge/report", {"edge": "e", "version": 1, "skew_ms": -(2**70)}),
}


@pytest.mark.parametrize(("method", "path", "said"), UNKEPT.values(), ids=UNKEPT)
def test_a_number_that_no_store_keeps_is_refused(
    client: TestClient, tokens: Headers, method: str, path: str, said: dict[str, int] | None
) -> None:
    scope = "authz" if "edge" in path else "ingest" if "replay" in path else "read"
    whole = {"skew_ms": 0, "applied": 0, "failed": 0, **said} if said else None

    answer = client.request(method, path, json=whole, headers=tokens[scope])

    assert answer.status_code == 422


def test_stats_count_rejects_as_the_list_does(client: TestClient, tokens: Headers) -> None:
    client.post("/api/v1/ingest", content=b"nope\nnope too\n", headers=tokens["ingest"])

    assert client.get("/api/v1/events/stats", headers=tokens["read"]).json()["rejects"] == 2


def test_replay_goes_on_where_it_ended(client: TestClient, tokens: Headers) -> None:
    client.post("/api/v1/ingest", content=b"a\nb\nc\n", headers=tokens["ingest"])
    after, asked = 0, []

    while not asked or asked[-1] == 2:
        path = f"/api/v1/rejects/replay?limit=2&after={after}"
        answer = client.post(path, headers=tokens["ingest"]).json()
        after = answer["last_seq"]
        asked.append(answer["asked"])

    assert (asked, after) == ([2, 1], 3)


DECISIONS = {
    "close": ("incidents/INC-1/close", {"verdict": "test", "note": "x"}, "triage"),
    "lift": ("effects/EF-1/lift", {"reason": "x"}, "respond"),
    "approve": ("approvals/1/decide", {"decision": "approve", "digest": "x"}, "respond"),
    "reject": ("approvals/1/decide", {"decision": "reject", "digest": "x"}, "admin"),
}


@pytest.mark.parametrize("caller", ["machine", "socket"])
@pytest.mark.parametrize(("path", "body", "scope"), DECISIONS.values(), ids=DECISIONS)
def test_what_people_decide_no_machine_does(
    front: Front, path: str, body: dict[str, str], scope: str, caller: str
) -> None:
    """Neither a machine's token nor the owner of the home on its socket."""
    with front.writing() as writing:
        token = keys.create_token(writing, "m", scope, None, front.suite.clock.now())
    app = build(front)

    async def local(told: Scope, receive: Receive, send: Send) -> None:
        await app({**told, "server": ("soc.sock", None), "client": None}, receive, send)

    client = TestClient(app if caller == "machine" else local)
    headers = {"Authorization": f"Bearer {token}"} if caller == "machine" else {}

    answer = client.post(f"/api/v1/{path}", json=body, headers=headers)

    assert answer.status_code == 403
    if (path, caller) == ("incidents/INC-1/close", "socket"):
        assert answer.json()["reason"] == "only a person does this: use a person's token"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", ["198.51.100.9"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["203.0.113.1, 198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["203.0.113.1", "198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("10.0.0.1", ["198.51.100.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["a" * 600], "10.0.0.1"),
        ("fe80::1%" + "a" * 600, [], "fe80::1"),
        ("testclient", ["198.51.100.9"], ""),
        (None, ["198.51.100.9"], ""),
    ],
    ids=repr,
)
def test_only_a_trusted_proxy_says_who_asks(
    peer: str | None, forwarded: list[str], address: str
) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer else None}

    assert address_of(HTTPConnection(scope), [ip_address("10.0.0.1")]) == address


def test_behind_a_trusted_proxy_each_client_has_its_own_limit(
    home: Path, clock: SettableClock
) -> None:
    (home / "settings.yml").write_text("web: {api_per_minute: 1, trusted_proxy: [10.0.0.1]}\n")
    suite = Suite(home, clock)
    log = suite.log()
    with TestClient(build(Front(suite, log)), client=("10.0.0.1", 9)) as client:
        statuses = [
            client.get("/api/v1/incidents", headers={"X-Forwarded-For": address}).status_code
            for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2")
        ]

    assert statuses == [401, 401, 429]
    assert log.reader.scan(0, 10).column("src_ip") == ["192.0.2.2"]
    log.close()
    suite.database.dispose()
