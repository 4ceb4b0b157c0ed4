"""What every action keeps to, whoever offers it."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from pydantic import ValidationError

from soc import plugins
from soc.model.value import Severity
from soc.respond.action import Action, Answer, Hold, Repeat, Risk

ACTIONS: dict[str, type[Action]] = plugins.load("soc.actions")

pytestmark = pytest.mark.parametrize("name", ACTIONS)


class World:
    """Remembers what an action did."""

    key = "EF-1-step-0"
    until = None

    def __init__(self) -> None:
        self.did: list[object] = []

    @property
    def http(self) -> "World":
        return self

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        seconds: float = 10.0,
        most: int = 1_000_000,
    ) -> Answer:
        self.did.append((method, url, dict(headers), body))
        return Answer(200, {}, b'{"id": 1, "number": 7, "state": "open"}')

    def search(self, query: str, since: timedelta, limit: int) -> list[dict[str, object]]:
        self.did.append((query, since, limit))
        return [{"seq": 1}]

    def snapshot(self) -> dict[str, object]:
        self.did.append("snapshot")
        return {"digest": "sha256:0"}

    def enforce(self, hold: Hold) -> None:
        self.did.append(hold)

    def lift(self) -> None:
        self.did.append("lift")

    def lift_step(self, step: str) -> int:
        self.did.append(("lift", step))
        return 1

    def label(self, subject: str, label: str) -> None:
        self.did.append((subject, label))

    def update(self, *, severity: Severity | None, owner: str | None) -> None:
        self.did.append((severity, owner))

    def note(self, text: str) -> None:
        self.did.append(text)

    def notify(self, to: tuple[str, ...], title: str, text: str) -> None:
        self.did.append((to, title, text))


def example(name: str) -> Action:
    return ACTIONS[name].model_validate_json(ACTIONS[name].example)


def test_it_declares_what_it_is(name: str) -> None:
    action = ACTIONS[name]

    assert action.name == name
    assert action.risk in Risk
    assert action.repeat in Repeat
    assert action.__doc__
    assert all(field.description for field in action.model_fields.values())


def test_it_refuses_parameters_that_it_does_not_know(name: str) -> None:
    with pytest.raises(ValidationError):
        ACTIONS[name].model_validate({**json.loads(ACTIONS[name].example), "surprise": 1})


def test_what_contains_can_be_undone_and_plans_what_it_does(name: str) -> None:
    action, world = example(name), World()

    plan = action.plan()
    action.run(world)

    if action.risk is Risk.CONTAIN:
        assert action.undoes
        assert world.did == [plan]
        action.undo(world)
        assert world.did[-1] == "lift"
    else:
        assert plan is None
    assert json.dumps(action.run(world)) is not None


def test_what_may_be_repeated_does_the_same_each_time(name: str) -> None:
    action, first, second = example(name), World(), World()

    action.run(first)
    action.run(second)

    assert first.did == second.did


def test_it_is_written_to_the_journal_and_read_back(name: str) -> None:
    action = example(name)

    assert ACTIONS[name].model_validate_json(action.model_dump_json()) == action


def test_it_shows_what_a_wrong_parameter_must_be(name: str) -> None:
    for field, about in ACTIONS[name].model_fields.items():
        with pytest.raises(ValidationError) as caught:
            ACTIONS[name].model_validate({**json.loads(ACTIONS[name].example), field: object()})
        assert field in str(caught.value), about
