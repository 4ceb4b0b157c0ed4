"""The API is limited, tells its limits, and has an answer for every number."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.web.app import build
from soc.web.front import Front

Headers = dict[str, dict[str, str]]


def test_a_limit_hit_is_429_and_an_event_once_a_minute_and_bulk_is_not_counted(
    home: Path, clock: SettableClock
) -> None:
    (home / "settings.yml").write_text("web: {api_per_minute: 3}\n")
    suite = Suite(home, clock)
    log = suite.log()
    with TestClient(build(Front(suite, log))) as client:
        statuses = [client.get("/api/v1/incidents").status_code for _ in range(6)]
        bulk = [client.post("/_bulk", content=b"").status_code for _ in range(6)]
        authz = [client.get("/authz").status_code for _ in range(6)]

    assert statuses == [401, 401, 401, 429, 429, 429]
    assert (set(bulk), set(authz)) == ({401}, {401})
    told = [json.loads(raw) for raw in log.reader.scan(0, 10).column("raw")]
    assert [(t["event"]["action"], t["source"]["ip"]) for t in told] == [("limit", "testclient")]
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
