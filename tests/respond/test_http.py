"""A request is what was written: data stays data, secrets stay secret, a repeat is known as one."""

import json

import pytest
from pydantic import ValidationError

from soc.errors import ActionFailed
from soc.respond.actions.http import HttpGet, HttpRequest
from soc.respond.secrets import Secret, SecretText
from soc.respond.world import OutsideWorld
from tests.servers.receiver import Receiver

TOKEN = Secret("TOKEN", lambda: "s3cret-9f8e7d")
BEARER = SecretText(["Bearer ", TOKEN])
REFUSED = {
    "a hole in the host": ({"url": "https://{x}.example/", "path_params": {"x": "a"}}, "the host is written"),
    "a hole not filled": ({"url": "https://a.example/{x}"}, "exactly the holes"),
    "a filling without a hole": ({"url": "https://a.example/", "path_params": {"x": "a"}}, "exactly the holes"),
    "dots": ({"url": "https://a.example/{x}", "path_params": {"x": ".."}}, "nor dots alone"),
    "nothing": ({"url": "https://a.example/{x}/y", "path_params": {"x": ""}}, "must not be empty"),
    "another scheme": ({"url": "file:///etc/passwd"}, "url"),
    "a header of ours": ({"url": "https://a.example/", "headers": {"HOST": "b.example"}}, "HOST is set by the suite"),
    "our key": ({"url": "https://a.example/", "headers": {"Idempotency-Key": "1"}}, "set by the suite"),
    "a header that is two": ({"url": "https://a.example/", "headers": {"A: b\r\nC": "d"}}, "headers"),
    "a method that only asks": ({"url": "https://a.example/", "method": "GET"}, "method"),
    "a long body": ({"url": "https://a.example/", "body": "x" * 65_536}, "over 65536 bytes"),
    "status kept": ({"url": "https://a.example/", "keep": {"status": "x"}}, "choose another name"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        HttpRequest.model_validate_json(json.dumps({"method": "POST", **given}))


def test_data_fills_one_part_of_a_path_and_no_more(receiver: Receiver, world: OutsideWorld) -> None:
    url = receiver.at("/users/{id}/suspend?by={who}")
    attack = "../admin?x=1&y#z é"

    HttpGet(url=url, path_params={"id": attack, "who": "a&b=c"}).run(world)

    assert receiver.paths() == [
        "/users/..%2Fadmin%3Fx%3D1%26y%23z%20%C3%A9/suspend?by=a%26b%3Dc",
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_carries_the_same_key_each_time(
    receiver: Receiver, world: OutsideWorld, method: str
) -> None:
    action = HttpRequest(method=method, url=receiver.at("/x"), body={"a": [1]})  # type: ignore[arg-type]

    action.run(world)
    action.run(world)

    keys = [one.headers["idempotency-key"] for one in receiver.taken]
    assert keys == ["EF-1-ask-0"] * 2
    assert [one.body for one in receiver.taken] == [b'{"a":[1]}'] * 2
    assert receiver.taken[0].headers["content-type"] == "application/json"


def test_what_changes_nothing_carries_no_key(receiver: Receiver, world: OutsideWorld) -> None:
    HttpGet(url=receiver.at("/x")).run(world)

    assert "idempotency-key" not in receiver.taken[0].headers


def test_only_what_is_declared_is_kept(receiver: Receiver, world: OutsideWorld) -> None:
    answer = {"data": [{"id": 7, "url": "u"}], "password": "p"}
    receiver.answers["/x"] = (201, {}, json.dumps(answer).encode())

    kept = HttpGet(url=receiver.at("/x"), keep={"issue": "data.0.id"}).run(world)

    assert kept == {"status": 201, "issue": 7}


FAILURES = {
    "a status that is not good": ((404, {}, b""), {}, "127.0.0.1 answered 404"),
    "a status that is not expected": ((200, {}, b""), {"expect": (201,)}, "answered 200"),
    "no JSON": ((200, {}, b"<html>"), {"keep": {"a": "b"}}, "the answer is not JSON"),
    "nothing there": ((200, {}, b'{"a": []}'), {"keep": {"a": "a.0"}}, "nothing at a.0"),
    "too much there": ((200, {}, json.dumps("x" * 5_000).encode()), {"keep": {"a": "a"}}, "nothing at a"),
    "too long": ((200, {}, json.dumps({"a": "x" * 5_000}).encode()), {"keep": {"a": "a"}}, "over 4096 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "more", "why"), FAILURES.values(), ids=FAILURES)
def test_an_answer_that_is_not_as_declared_fails_the_step(
    receiver: Receiver,
    world: OutsideWorld,
    answer: tuple[int, dict[str, str], bytes],
    more: dict[str, object],
    why: str,
) -> None:
    receiver.answers["/x"] = answer

    with pytest.raises((OSError, ActionFailed), match=why):
        HttpGet(url=receiver.at("/x"), **more).run(world)  # type: ignore[arg-type]


def test_an_expected_status_is_good(receiver: Receiver, world: OutsideWorld) -> None:
    receiver.answers["/x"] = (409, {}, b"")

    assert HttpGet(url=receiver.at("/x"), expect=(201, 409)).run(world) == {"status": 409}


def test_a_secret_reaches_the_receiver_and_nobody_else(
    receiver: Receiver, world: OutsideWorld
) -> None:
    echo = {"you": "Bearer s3cret-9f8e7d", "s3cret-9f8e7d": [{"deep": "s3cret-9f8e7d!"}]}
    receiver.answers["/x"] = (200, {}, json.dumps({"echo": echo}).encode())
    action = HttpGet(
        url=receiver.at("/x"),
        headers={"Authorization": BEARER, "X-Key": TOKEN},
        keep={"echo": "echo"},
    )

    kept = action.run(world)

    sent = receiver.taken[0].headers
    assert (sent["authorization"], sent["x-key"]) == ("Bearer s3cret-9f8e7d", "s3cret-9f8e7d")
    assert "s3cret" not in f"{kept} {action!r} {action.model_dump_json()}"
    assert kept["echo"] == {"you": "Bearer <secret>", "<secret>": [{"deep": "<secret>!"}]}


def test_a_secret_that_cannot_be_sent_is_not_told(receiver: Receiver, world: OutsideWorld) -> None:
    broken = Secret("BROKEN", lambda: "s3cret\r\nX-Evil: 1")

    with pytest.raises(OSError, match="header X-Key: what it holds cannot be sent") as caught:
        HttpGet(url=receiver.at("/x"), headers={"X-Key": broken}).run(world)

    assert "s3cret" not in str(caught.value)
    assert receiver.taken == []
