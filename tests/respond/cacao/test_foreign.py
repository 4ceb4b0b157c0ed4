"""Playbooks of others: what we can say is said, the rest is told, and nothing acts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.errors import Refused
from soc.respond.cacao.load import Imported, load
from soc.respond.check import mistakes
from soc.respond.expression import references
from soc.respond.playbook import Playbook
from tests.respond.stage import ACTIONS

FILE = Path(__file__).parents[2] / "data" / "cacao" / "foreign.json"
ID = "a0000000-0000-4000-8000-0000000000"


@pytest.fixture(scope="module")
def foreign() -> Imported:
    return load(FILE.read_bytes(), ACTIONS)


def shape(steps: Any) -> list[Any]:
    """Return the ids of *steps*, nested as they are."""
    return [[s.id, *map(shape, s.branches())] if s.branches() else s.id for s in steps]


def test_steps_stand_where_they_stood(foreign: Imported) -> None:
    in_use = [["both", ["revoke", ["on_failure", ["by_hand"]]], ["search"]]]

    assert shape(foreign.playbook.steps) == [
        "wait", "look_at_it", "in_use", ["in_use_2", in_use], ["in_use_3", ["close"]], "again",
    ]  # fmt: skip
    assert shape(foreign.playbook.on_failure) == ["call_somebody"]


def test_nobody_can_start_it_before_somebody_has_read_it(foreign: Imported) -> None:
    book = foreign.playbook

    assert (book.status, book.mode) == ("disabled", "dry_run")
    assert (book.on.manual, book.on.incident, book.on.schedule) == ((), None, None)
    assert {step.kind for step in book.every_step()} <= {"approval", "wait", "do", "parallel"}


def test_it_is_a_playbook_without_mistakes(foreign: Imported) -> None:
    assert list(mistakes(foreign.playbook, {}, ACTIONS)) == []


def test_what_it_says_is_never_an_expression(foreign: Imported) -> None:
    (look,) = (step for step in foreign.playbook.every_step() if step.id == "look_at_it")

    assert look.approval
    assert look.approval.ask == "Look whose key $ {{ incident.title }} is."
    assert list(references(look.approval.ask)) == []


def test_inputs_keep_what_fits_their_type(foreign: Imported) -> None:
    inputs = foreign.playbook.inputs

    assert {name: (one.type, one.default) for name, one in inputs.items()} == {
        "address": ("string", "192.0.2.7"),
        "tries": ("int", 3),
        "broken": ("int", None),
    }


TOLD = {
    "playbook/agent_definitions": "has no place",
    "playbook/modified": "has no place",
    "playbook_variables/__address__/type": "ipv4-addr is taken as any text",
    "playbook_variables/__broken__/value": "does not fit its type",
    "playbook_variables/__computed__": "is no input",
    f"workflow/action--{ID}05/commands/0": "http-api: no action of ours does this",
    f"workflow/action--{ID}05/commands/0/headers": "has no place",
    f"workflow/action--{ID}06/commands/0": "sigma: no action of ours does this",
    f"workflow/if-condition--{ID}03/condition": "people are asked",
    f"workflow/playbook-action--{ID}07": "is not ours to run",
    f"workflow/action--{ID}08": "stands elsewhere already",
    f"workflow/action--{ID}12": "nothing leads here",
}


@pytest.mark.parametrize(("place", "why"), TOLD.items(), ids=TOLD.keys())
def test_what_was_not_translated_is_told(foreign: Imported, place: str, why: str) -> None:
    assert [note for note in foreign.notes if note.place == place and why in note.why]


def changed(change: Callable[[dict[str, Any]], object]) -> Playbook:
    document = json.loads(FILE.read_text())
    change(document)
    return load(json.dumps(document).encode(), ACTIONS).playbook


def test_a_loop_ends() -> None:
    def loop(document: dict[str, Any]) -> None:
        step = document["workflow"][f"action--{ID}02"]
        step["on_completion"] = f"action--{ID}02"

    assert shape(changed(loop).steps) == ["wait", "look_at_it"]


def test_a_document_without_steps_asks_what_to_do() -> None:
    def empty(document: dict[str, Any]) -> None:
        document["workflow"] = {
            document["workflow_start"]: {"type": "start", "on_completion": "end--x"}
        }

    (step,) = changed(empty).steps

    assert step.approval


def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(Refused, match="created: write a moment"):
        changed(lambda document: document.update(created="yesterday"))


KINDS = [
    "start", "end", "action", "playbook-action", "parallel", "if-condition", "while-condition",
    "switch-condition", "magic",
]  # fmt: skip
PLACES = st.sampled_from([f"n{number}" for number in range(9)] + ["nowhere"])
NODES = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "name": st.text(max_size=5),
        "delay": st.integers(),
        "timeout": st.integers(),
        "on_success": PLACES,
        "on_completion": PLACES,
        "on_failure": PLACES,
        "on_true": PLACES,
        "on_false": PLACES,
        "condition": st.text(max_size=5) | st.just("${{ 1 }}"),
        "next_steps": st.lists(PLACES, max_size=3),
        "cases": st.dictionaries(st.text(max_size=3), PLACES, max_size=3),
        "commands": st.lists(
            st.fixed_dictionaries({"type": st.just("bash"), "command": st.text(max_size=5)}),
            max_size=2,
        ),
        "odd": st.integers(),
    },
)


@given(nodes=st.lists(NODES, min_size=9, max_size=9), name=st.text(max_size=5))
def test_any_graph_becomes_a_playbook_that_can_be_read(nodes: list[Any], name: str) -> None:
    document = json.loads(FILE.read_text()) | {
        "name": name,
        "workflow": {f"n{number}": node for number, node in enumerate(nodes)},
        "workflow_start": "n0",
        "workflow_exception": "n1",
    }

    found = load(json.dumps(document).encode(), ACTIONS)

    assert list(mistakes(found.playbook, {}, ACTIONS)) == []
    odd = {f"workflow/n{number}/odd" for number, node in enumerate(nodes) if "odd" in node}
    told = {note.place for note in found.notes}
    assert all(place in told or place.removesuffix("/odd") in told for place in odd)
