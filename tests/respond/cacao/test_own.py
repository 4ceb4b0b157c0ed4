"""Our playbooks as CACAO 2.0 and back: nothing is lost, and it is CACAO."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings

from soc.app.exchange import text_of
from soc.content import folders
from soc.errors import Refused
from soc.respond.cacao.export import export
from soc.respond.cacao.load import load
from soc.respond.playbook import Playbook, read
from tests.respond.cacao.books import books
from tests.respond.cacao.spec import violations
from tests.respond.stage import ACTIONS, playbook

PACKAGED = sorted(folders.files(folders.packaged("playbooks")))
SIMPLE = [{"id": "note", "use": "incident.note", "with": {"text": "x"}}]


def written(book: Playbook) -> bytes:
    return json.dumps(export(book, ACTIONS), sort_keys=True).encode()


@settings(max_examples=150)
@given(book=books())
def test_what_is_exported_comes_back_as_it_was(book: Playbook) -> None:
    exported = export(book, ACTIONS)

    back = load(written(book), ACTIONS)

    assert back.playbook == book
    assert back.playbook.digest == book.digest
    assert (back.is_ours, back.notes) == (True, ())
    assert export(back.playbook, ACTIONS) == exported


@settings(max_examples=150)
@given(book=books())
def test_what_is_exported_is_what_the_specification_asks_for(book: Playbook) -> None:
    assert violations(export(book, ACTIONS)) == []


@pytest.mark.parametrize("path", PACKAGED, ids=[path.stem for path in PACKAGED])
def test_packaged_playbooks_survive_the_way_out_and_back(path: Path) -> None:
    book = read(path, ACTIONS)

    assert violations(export(book, ACTIONS)) == []
    assert load(written(book), ACTIONS).playbook == book


def test_ids_are_the_same_in_every_export_and_differ_between_playbooks() -> None:
    ours, other = playbook(SIMPLE), playbook(SIMPLE, playbook="other")

    first, again = (set(export(book, ACTIONS)["workflow"]) for book in (ours, ours))
    foreign = set(export(other, ACTIONS)["workflow"])

    assert first == again
    assert not first & foreign


def test_two_versions_of_one_day_are_two_to_cacao() -> None:
    one, two = (export(playbook(SIMPLE, version=n), ACTIONS)["modified"] for n in (1, 2))

    assert one < two


def test_a_step_named_like_our_own_ends_shares_no_id_with_them() -> None:
    steps = [
        {"id": id_, "when": "${{ true }}", "use": "incident.note", "with": {"text": "x"}}
        for id_ in ("steps", "on_failure", "start", "end")
    ]

    exported = export(playbook(steps), ACTIONS)

    assert violations(exported) == []
    assert load(json.dumps(exported).encode(), ACTIONS).playbook == playbook(steps)


def damaged(key: str, value: Any, kind: str = "action") -> dict[str, Any]:
    """Return a good export of which one step, or the playbook itself, says something else."""
    branches = [[{**SIMPLE[0], "id": "a"}], [{**SIMPLE[0], "id": "b", "when": "${{ true }}"}]]
    exported = export(playbook([*SIMPLE, {"id": "both", "parallel": branches}]), ACTIONS)
    steps = exported["workflow"].items()
    place = next((step for id_, step in steps if id_.startswith(f"{kind}--")), exported)
    place.pop(key, None)
    return exported if value is None else (place.update({key: value}) or exported)


DAMAGED = {
    "an unknown property": damaged("odd", 1),
    "a dangling way": damaged("on_success", "end--a0000000-0000-4000-8000-000000000001"),
    "no way on": damaged("on_success", None),
    "two ways at once": damaged("on_completion", "x"),
    "no agent": damaged("agent", "group--a0000000-0000-4000-8000-000000000001"),
    "no command": damaged("commands", []),
    "one branch": damaged("next_steps", [], "parallel"),
    "a way from an end": damaged("on_completion", "x", "end"),
    "an undeclared variable": damaged("condition", "__x__:value = 'true'", "if-condition"),
    "an undefined extension": damaged("extension_definitions", None, "playbook"),
    "an empty list": damaged("labels", [], "playbook"),
    "no author": damaged("created_by", None, "playbook"),
    "a moment that is none": damaged("modified", "2026", "playbook"),
}


@pytest.mark.parametrize("document", DAMAGED.values(), ids=DAMAGED.keys())
def test_the_checks_of_the_specification_see_what_is_wrong(document: dict[str, Any]) -> None:
    assert violations(document) != []


def test_what_another_tool_changed_counts_or_is_told() -> None:
    exported = export(playbook(SIMPLE), ACTIONS)
    (id_,) = (one for one in exported["workflow"] if one.startswith("action--"))
    step = exported["workflow"][id_]
    step["name"] = "Write it down"
    step["commands"][0]["content"] = '{"text": "y"}'
    step["targets"] = ["group--0"]

    back = load(json.dumps(exported).encode(), ACTIONS)

    assert back.playbook.steps[0].title == "Write it down"
    assert back.playbook.steps[0].parameters == {"text": "y"}
    assert [note.place for note in back.notes] == [f"workflow/{id_}/targets"]


def broken(**changes: Any) -> bytes:
    """Return a good export in which the action step is changed, or lacks what is None."""
    exported = export(playbook(SIMPLE), ACTIONS)
    for id_, step in exported["workflow"].items():
        if id_.startswith("action--"):
            exported["workflow"][id_] = {
                k: v for k, v in {**step, **changes}.items() if v is not None
            }
    return json.dumps(exported).encode()


def looping() -> bytes:
    exported = export(playbook(SIMPLE), ACTIONS)
    (id_,) = (one for one in exported["workflow"] if one.startswith("action--"))
    exported["workflow"][id_]["on_success"] = id_
    return json.dumps(exported).encode()


BROKEN = {
    "no JSON": (b"{", "no JSON"),
    "no playbook": (b'{"type": "bundle"}', "type: Input should be 'playbook'"),
    "too long": (b" " * 2_000_000, "over 1048576 bytes"),
    "a dangling way": (broken(on_success="end--none"), "workflow has no such step"),
    "a loop": (looping(), "leads back to"),
    "a step without our extension": (broken(step_extensions=None), "is missing, or is no object"),
    "no command": (broken(commands=[]), "a step of ours has one, not 0"),
    "content that is none": (
        broken(commands=[{"type": "soar-action", "command": "incident.note", "content": "["}]),
        "commands/0/content: must be JSON",
    ),
    "content with a number that is none": (
        broken(
            commands=[{"type": "soar-action", "command": "incident.note", "content": '{"a": NaN}'}]
        ),
        "NaN is no number",
    ),
    "an unknown action": (
        broken(commands=[{"type": "soar-action", "command": "format.disk", "content": "{}"}]),
        "no action 'format.disk'",
    ),
}


@pytest.mark.parametrize(("data", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_document_is_refused_with_its_place(data: bytes, why: str) -> None:
    with pytest.raises(Refused) as refused:
        load(data, ACTIONS)

    assert why in str(refused.value)


@settings(max_examples=60)
@given(book=books())
def test_what_is_written_as_a_file_reads_as_it_was(book: Playbook) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "book.yml"
        path.write_text(text_of(book))

        assert read(path, ACTIONS) == book
