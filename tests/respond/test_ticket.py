"""A ticket is opened once, also where nobody knows whether it was; who reads trackers sees no more."""

import json

import pytest
from pydantic import ValidationError

from soc.clock import SettableClock
from soc.errors import ActionFailed
from soc.respond.actions.ticket import Create, Tracker
from soc.respond.notifier import Outbox
from soc.respond.secrets import Secret, SecretText
from soc.respond.world import OutsideWorld
from tests.servers.receiver import Receiver

BEARER = SecretText(["Bearer ", Secret("TOKEN", lambda: "s3cret-9f8e7d")])
PATHS = {
    Tracker.GITHUB: "/repos/qf/ops/issues",
    Tracker.GITLAB: "/projects/qf%2Fops/issues",
    Tracker.FORGEJO: "/repos/qf/ops/issues",
}
ISSUE = {
    "number": 7,
    "html_url": "https://tracker.example/qf/ops/issues/7",
    "iid": 7,
    "web_url": "https://tracker.example/qf/ops/issues/7",
}
TOLD = {"ticket": 7, "url": "https://tracker.example/qf/ops/issues/7"}


def ticket(receiver: Receiver, tracker: Tracker, text: str = "Look at **them**.") -> Create:
    return Create(
        tracker=tracker,
        api=receiver.at(""),
        project="qf/ops",
        title="INC-1: they share a funder",
        text=text,
        authorization=BEARER,
    )


@pytest.mark.parametrize("tracker", Tracker)
def test_a_ticket_is_opened_and_found_again_by_its_mark(
    receiver: Receiver, world: OutsideWorld, tracker: Tracker
) -> None:
    path, action = PATHS[tracker], ticket(receiver, tracker)
    receiver.answers[path] = (201, {}, json.dumps(ISSUE).encode())
    made = action.run(world)
    sent = json.loads(receiver.taken[0].body)
    text = sent["description" if tracker is Tracker.GITLAB else "body"]
    other = {**ISSUE, "number": 8, "iid": 8, "body": "another", "description": None}
    mine = {**ISSUE, "body": text, "description": text}
    receiver.answers[path] = (200, {}, json.dumps([other, mine]).encode())
    found = action.probe(world)
    receiver.answers[path] = (200, {}, json.dumps([other]).encode())

    assert made == found == TOLD
    assert action.probe(world) is None
    assert [one.method for one in receiver.taken] == ["POST", "GET", "GET"]
    assert sent["title"] == "INC-1: they share a funder"
    assert text.startswith("Look at **them**.\n\nCommonwatch ")
    assert {one.headers["authorization"] for one in receiver.taken} == {"Bearer s3cret-9f8e7d"}
    assert receiver.paths()[1].partition("?")[0] == path


def test_each_step_has_a_mark_of_its_own(
    receiver: Receiver, world: OutsideWorld, clock: SettableClock, tmp_path: object
) -> None:
    again = OutsideWorld("EF-2-ask-0", Outbox(tmp_path), clock.now(), world.http)  # type: ignore[arg-type]
    receiver.answers["/repos/qf/ops/issues"] = (201, {}, json.dumps(ISSUE).encode())
    for each in (world, world, again):
        ticket(receiver, Tracker.GITHUB, "").run(each)

    first, second, other = (json.loads(one.body)["body"] for one in receiver.taken)
    assert first == second != other


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, {}, b"{}"), "answered 401"),
        ((422, {}, b"{}"), "answered 422"),
        ((503, {}, b"s3cret-9f8e7d"), "answered 503"),
        ((200, {}, b"<html>"), "not JSON"),
        ((200, {}, b"{}"), "with no ticket"),
    ],
    ids=["denied", "invalid", "down", "a page", "nothing"],
)
def test_what_opens_no_ticket_is_said_without_the_secret(
    receiver: Receiver, world: OutsideWorld, answer: tuple[int, dict[str, str], bytes], why: str
) -> None:
    receiver.answers["/repos/qf/ops/issues"] = answer

    with pytest.raises((OSError, ActionFailed), match=why) as caught:
        ticket(receiver, Tracker.FORGEJO).run(world)
    assert "s3cret" not in str(caught.value)


def test_an_answer_that_is_no_list_leaves_the_doubt(
    receiver: Receiver, world: OutsideWorld
) -> None:
    receiver.answers["/repos/qf/ops/issues"] = (200, {}, b'{"message": "moved"}')

    with pytest.raises(OSError, match="no list of tickets"):
        ticket(receiver, Tracker.GITHUB).probe(world)


def test_of_what_is_red_a_ticket_says_only_that_it_is_there(receiver: Receiver) -> None:
    veiled = ticket(receiver, Tracker.GITHUB).veiled("INC-4")

    assert (veiled.title, veiled.text) == ("INC-4 is TLP:RED: read it in the console", "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tracker": "jira"}, "tracker"),
        ({"api": "ftp://tracker.example"}, "api"),
        ({"api": "https://tracker.example/?x=1"}, "api"),
        ({"project": "../admin"}, "project"),
        ({"project": "a b"}, "project"),
        ({"title": ""}, "title"),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Create.model_validate({**json.loads(Create.example), **change})
