"""A webhook is taken once, if it was signed lately by who knows the secret, and never otherwise."""

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import delete
from starlette.testclient import TestClient

from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import SettingsError
from soc.settings import read
from soc.store.tables import HookSeen
from soc.web.app import build
from soc.web.front import Front

SECRET = "an-invented-secret-of-a-test"
SETTINGS = f"""
inputs:
  hooks:
    - {{name: ours, secret: {SECRET}, source: partner}}
    - {{name: unique, secret: {SECRET}, source: partner, nonce: X-Soc-Nonce, signed: "{{timestamp}}.{{nonce}}.{{body}}"}}
    - {{name: github, secret: {SECRET}, source: github, signature: X-Hub-Signature-256, timestamp: null, signed: "{{body}}"}}
    - {{name: stripe, secret: {SECRET}, source: stripe, signature: Stripe-Signature, prefix: "v1=", timestamp: Stripe-Signature, timestamp_prefix: "t="}}
    - {{name: slack, secret: {SECRET}, source: slack, signature: X-Slack-Signature, prefix: "v0=", timestamp: X-Slack-Request-Timestamp, signed: "v0:{{timestamp}}:{{body}}"}}
    - {{name: standard, secret: {SECRET}, source: svix, signature: webhook-signature, prefix: "v1,", encoding: base64, timestamp: webhook-timestamp, nonce: webhook-id, signed: "{{nonce}}.{{timestamp}}.{{body}}"}}
    - {{name: many, secret: {SECRET}, source: partner, items: data.events}}
    - {{name: list, secret: {SECRET}, source: partner, items: "."}}
"""
NOW = 1_795_435_200  # what the clock of tests shows
BODY = b'{"b": 1,  "a": [2]}'


@pytest.fixture
def front(home: Path, clock: SettableClock) -> Iterator[Front]:
    (home / "settings.yml").write_text(SETTINGS)
    suite = Suite(home, clock)
    log = suite.log()
    yield Front(suite, log)
    log.close()
    suite.database.dispose()


@pytest.fixture
def client(front: Front) -> Iterator[TestClient]:
    with TestClient(build(front)) as client:
        yield client


def digest(message: bytes, secret: str = SECRET) -> bytes:
    return hmac.digest(secret.encode(), message, sha256)


def ours(body: bytes, at: int = NOW, secret: str = SECRET) -> dict[str, str]:
    signature = digest(b"%d." % at + body, secret).hex()
    return {"X-Soc-Timestamp": str(at), "X-Soc-Signature": f"sha256={signature}"}


def rows(front: Front) -> list[dict[str, Any]]:
    return list(front.log.reader.scan(0, 100).table.to_pylist())


STYLES = {
    "ours": ours(BODY),
    "unique": {"X-Soc-Timestamp": str(NOW), "X-Soc-Nonce": "n1", "X-Soc-Signature": f"sha256={digest(b'%d.n1.' % NOW + BODY).hex()}"},
    "github": {"X-Hub-Signature-256": f"sha256={digest(BODY).hex()}"},
    "stripe": {"Stripe-Signature": f"t={NOW},v1={'0' * 64},v1={digest(b'%d.' % NOW + BODY).hex()},v0=zz"},
    "slack": {"X-Slack-Request-Timestamp": str(NOW), "X-Slack-Signature": f"v0={digest(b'v0:%d:' % NOW + BODY).hex()}"},
    "standard": {"webhook-id": "m1", "webhook-timestamp": str(NOW), "webhook-signature": f"v1,{base64.b64encode(digest(b'm1.%d.' % NOW + BODY)).decode()} v2,xx"},
}  # fmt: skip


@pytest.mark.parametrize("name", STYLES)
def test_a_signature_of_each_style_is_believed_once(
    client: TestClient, front: Front, name: str
) -> None:
    first = client.post(f"/hooks/{name}", content=BODY, headers=STYLES[name])
    again = client.post(f"/hooks/{name}", content=BODY, headers=STYLES[name])

    assert (first.status_code, first.json()["accepted"]) == (200, 1)
    assert (again.status_code, again.json()["error"]) == (409, "Illegal")
    assert len(rows(front)) == 1


def test_the_body_stays_as_it_was_written(client: TestClient, front: Front) -> None:
    client.post("/hooks/ours", content=BODY, headers=ours(BODY))

    (row,) = rows(front)
    assert row["raw"].endswith(f',"hook":{BODY.decode()}}}')
    assert (row["source"], row["dataset"]) == ("partner", "hook.ours")
    assert row["ts"] == front.suite.clock.now()


def test_a_body_that_a_parser_knows_is_stored_as_it_is(client: TestClient, front: Front) -> None:
    body = b'{"@timestamp":  "2026-11-23T11:00:00Z", "message": "hello"}'

    client.post("/hooks/ours", content=body, headers=ours(body))

    (row,) = rows(front)
    assert (row["raw"], row["message"]) == (body.decode(), "hello")


@pytest.mark.parametrize(
    ("name", "body"),
    [("many", b'{"data":{"events":[{"n": 1}, {"n":2}]}}'), ("list", b'[{"n": 1}, {"n":2}]')],
)
def test_each_item_of_a_list_is_an_event(
    client: TestClient, front: Front, name: str, body: bytes
) -> None:
    answer = client.post(f"/hooks/{name}", content=body, headers=ours(body))

    assert answer.json()["accepted"] == 2
    assert [row["raw"].partition('"hook":')[2] for row in rows(front)] == ['{"n": 1}}', '{"n":2}}']


def test_a_body_without_its_list_is_refused_and_may_be_sent_again(
    client: TestClient, front: Front
) -> None:
    answer = client.post("/hooks/many", content=BODY, headers=ours(BODY))
    again = client.post("/hooks/many", content=BODY, headers=ours(BODY))

    assert answer.status_code == again.status_code == 400
    assert "data.events is no list of events" in answer.json()["reason"]


@pytest.mark.parametrize(
    "body", [b"a=b\xff", b"hello", b'1},"user":{"name":"eve"', b'1,"user":{"name":"eve"}']
)
def test_what_is_no_json_is_kept_as_a_reject(client: TestClient, front: Front, body: bytes) -> None:
    answer = client.post("/hooks/ours", content=body, headers=ours(body))

    assert (answer.status_code, answer.json()["rejected"]) == (200, 1)
    assert front.log.reader.count_rejects() == 1


UNSIGNED = {
    "no signature": {"X-Soc-Timestamp": str(NOW)},
    "no timestamp": {"X-Soc-Signature": "sha256=" + "0" * 64},
    "another secret": ours(BODY, secret="another-secret-of-a-test"),
    "another body": ours(b"{}"),
    "another time": {**ours(BODY), "X-Soc-Timestamp": str(NOW + 1)},
    "signed too long ago": ours(BODY, NOW - 301),
    "signed too far ahead": ours(BODY, NOW + 301),
    "a time that is none": {**ours(BODY), "X-Soc-Timestamp": "soon"},
    "a time beyond the calendar": {**ours(BODY), "X-Soc-Timestamp": "9" * 16},
    "a signature that is not hex": {**ours(BODY), "X-Soc-Signature": "sha256=zz"},
    "a signature without its prefix": {**ours(BODY), "X-Soc-Signature": digest(b"x").hex()},
    "a very long header": {**ours(BODY), "X-Soc-Signature": "sha256=" + "0" * 5_000},
}


@pytest.mark.parametrize("headers", UNSIGNED.values(), ids=UNSIGNED)
def test_what_is_not_signed_as_it_must_be_is_refused(
    client: TestClient, front: Front, headers: dict[str, str]
) -> None:
    answer = client.post("/hooks/ours", content=BODY, headers=headers)

    assert answer.status_code == 401
    assert SECRET not in answer.text
    assert [row["dataset"] for row in rows(front)] == ["soc.access"]


def test_refusals_are_told_once_a_minute(client: TestClient, front: Front) -> None:
    for _ in range(3):
        client.post("/hooks/ours", content=BODY)

    assert [row["action"] for row in rows(front)] == ["hook"]


def test_a_hook_that_is_not_named_is_not_there(client: TestClient) -> None:
    assert client.post("/hooks/nobody", content=BODY, headers=ours(BODY)).status_code == 404


def test_events_stored_before_a_death_are_not_stored_again(
    client: TestClient, front: Front
) -> None:
    """Between the events and the note that they were taken, the process may die."""
    client.post("/hooks/ours", content=BODY, headers=ours(BODY))
    with front.writing() as writing:
        writing.exec(delete(HookSeen))

    answer = client.post("/hooks/ours", content=BODY, headers=ours(BODY))

    assert (answer.status_code, answer.json()["duplicates"]) == (200, 1)
    assert len(rows(front)) == 1


def test_after_its_window_a_request_is_refused_by_its_age(
    client: TestClient, clock: SettableClock
) -> None:
    client.post("/hooks/ours", content=BODY, headers=ours(BODY))
    clock.moment += timedelta(hours=1)

    later = client.post("/hooks/ours", content=BODY, headers=ours(BODY))

    assert later.status_code == 401


MISTAKES = {
    "a short secret": ("{name: a, secret: short, source: s}", "at least 16 unguessable"),
    "no secret": ("{name: a, source: s}", "secret is missing: write it"),
    "no body": (f'{{name: a, secret: {SECRET}, source: s, signed: "{{timestamp}}"}}', "write {body} once"),
    "a timestamp that is not signed": (f'{{name: a, secret: {SECRET}, source: s, signed: "{{body}}"}}', "what is not signed proves nothing"),
    "a nonce that is not signed": (f"{{name: a, secret: {SECRET}, source: s, nonce: X-Id}}", "what is not signed proves nothing"),
    "no template": (f'{{name: a, secret: {SECRET}, source: s, signed: "{{body"}}', "write such as {timestamp}.{body}"),
    "a name for two": (f"{{name: a, secret: {SECRET}, source: s}}, {{name: a, secret: {SECRET}, source: s}}", "'a' is here twice"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_without_the_secret(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(f"inputs:\n  hooks: [{text}]\n")

    with pytest.raises(SettingsError) as caught:
        read(path, {})

    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_secret_is_in_no_text_of_the_settings(front: Front) -> None:
    shown = [repr(front.suite.settings), json.dumps(front.suite.settings.model_dump(mode="json"))]

    assert [SECRET in text for text in shown] == [False, False]
