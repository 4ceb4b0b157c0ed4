"""What an analyst does over the API: it happens once, to what was seen, or is a problem."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.web.story import Site, opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


@pytest.fixture
def max_(site: Site) -> TestClient:
    return site.browser("max")


def at(client: TestClient, verb: str, body: dict[str, object], **headers: str) -> int:
    path = f"/api/v1/incidents/INC-1/{verb}"
    return client.post(path, json=body, headers=headers).status_code


def test_a_lost_update_is_refused(max_: TestClient) -> None:
    seen = max_.get("/api/v1/incidents/INC-1").headers["etag"]
    assert at(max_, "notes", {"text": "somebody was faster"}) == 200

    refused = max_.post("/api/v1/incidents/INC-1/assign", json={}, headers={"If-Match": seen})
    again = max_.get("/api/v1/incidents/INC-1").headers["etag"]

    assert refused.status_code == 412
    assert "read it again" in refused.json()["detail"]
    assert at(max_, "assign", {}, **{"If-Match": again}) == 200


def test_the_same_request_happens_once(max_: TestClient) -> None:
    path, key = "/api/v1/incidents/INC-1/notes", {"Idempotency-Key": "k-1"}
    first = max_.post(path, json={"text": "once"}, headers=key)
    second = max_.post(path, json={"text": "once"}, headers=key)

    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert second.headers["idempotent-replayed"] == "true"
    texts = [note["text"] for note in max_.get("/api/v1/incidents/INC-1").json()["notes"]]
    assert texts.count("once") == 1


def test_a_key_is_for_one_request_and_one_person(site: Site, max_: TestClient) -> None:
    path, key = "/api/v1/incidents/INC-1/notes", {"Idempotency-Key": "k-1"}
    assert max_.post(path, json={"text": "once"}, headers=key).status_code == 200

    other = max_.post(path, json={"text": "twice"}, headers=key)
    rob = site.browser("rob").post(path, json={"text": "rob"}, headers=key)

    assert (other.status_code, rob.status_code) == (400, 200)
    assert "take a new one" in other.json()["detail"]


def test_what_was_refused_may_be_asked_again_corrected(max_: TestClient) -> None:
    path, key = "/api/v1/incidents/INC-1/reopen", {"Idempotency-Key": "k-2"}
    assert max_.post(path, json={"reason": "x"}, headers=key).status_code == 409
    close = {"verdict": "test", "note": "a drill"}
    assert max_.post("/api/v1/incidents/INC-1/close", json=close).status_code == 200

    assert max_.post(path, json={"reason": "x"}, headers=key).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("incidents/INC-9/close", {"verdict": "test", "note": "x"}, 404, "INC-9"),
        ("incidents/INC-1/close", {"verdict": "guilty", "note": "x"}, 422, "body.verdict"),
        ("incidents/INC-1/merge", {"into": "INC-1", "reason": "x"}, 409, "itself"),
        ("incidents/INC-1/entities", {"entity": "0xab"}, 409, "write kind and value"),
        ("moves/77/undo", {}, 404, "77"),
        ("nowhere", {}, 404, "Not Found"),
    ],
)
def test_problems_are_rfc_9457(
    still: Site, path: str, body: dict[str, object], status: int, says: str
) -> None:
    answer = still.seen_by("max").post(f"/api/v1/{path}", json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert says in told["detail"]
    assert told["type"].startswith("urn:commonwatch:problem:")


def test_a_split_and_back_over_the_api(max_: TestClient) -> None:
    alerts = [a["id"] for a in max_.get("/api/v1/incidents/INC-1").json()["alerts"]]
    body = {"alerts": alerts[:1], "reason": "another actor"}
    after = max_.post("/api/v1/incidents/INC-1/split", json=body).json()

    (move,) = after["moves"]
    back = max_.post(f"/api/v1/moves/{move['act']}/undo", json={})

    assert [a["id"] for a in after["alerts"]] == alerts[1:]
    assert back.json() == {"incident": "INC-1"}
    whole = max_.get("/api/v1/incidents/INC-1").json()
    assert [a["id"] for a in whole["alerts"]] == alerts
    assert whole["moves"][0]["undone"]


def test_a_file_comes_back_as_it_was_and_only_to_be_saved(max_: TestClient) -> None:
    body = b"<script>alert(1)</script>"
    path = "/api/v1/incidents/INC-1/files"
    kept = max_.post(f"{path}?filename=a b.html", content=body).json()

    got = max_.get(f"{path}/{kept['id']}")

    assert kept["digest"] == f"sha256:{sha256(body).hexdigest()}"
    assert got.content == body
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20b.html"


def test_the_rest_of_a_case(max_: TestClient) -> None:
    assert at(max_, "rate", {"severity": "critical"}) == 200
    assert at(max_, "share", {"tlp": "red"}) == 200
    assert at(max_, "tasks", {"title": "ask the donor", "assignee": "otto"}) == 200
    assert at(max_, "tasks/1", {"state": "completed"}) == 200
    assert at(max_, "entities", {"entity": "ip:192.0.2.99", "ignored": True}) == 200
    assert at(max_, "notes", {"text": "first"}) == 200
    note = max_.get("/api/v1/incidents/INC-1").json()["notes"][-1]["id"]
    assert at(max_, "notes", {"text": "second", "replaces": note}) == 200

    whole = max_.get("/api/v1/incidents/INC-1").json()

    assert (whole["severity"], whole["tlp"], whole["ignored"]) == (
        "critical",
        "red",
        ["ip:192.0.2.99"],
    )
    assert whole["tasks"][0]["state"] == "completed"
    assert (whole["notes"][-1]["text"], whole["notes"][-1]["earlier"][0]["text"]) == (
        "second",
        "first",
    )


def test_a_viewer_changes_nothing(site: Site) -> None:
    vera = site.browser("vera")

    assert at(vera, "share", {"tlp": "red"}) == 403
    assert vera.post("/api/v1/incidents/INC-1/files?filename=x", content=b"x").status_code == 403
