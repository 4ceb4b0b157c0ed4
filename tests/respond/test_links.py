"""Messages lead to the console where it is known: to the incident, the run, or the question."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from soc.clock import SettableClock
from soc.settings import Web
from soc.store.session import Database
from tests.respond.stage import Stage, playbook

TELL: dict[str, Any] = {
    "id": "tell",
    "use": "notify.send",
    "with": {"to": ["role:admin"], "title": "Look", "text": "At this."},
}
ASK: dict[str, Any] = {
    "id": "ask",
    "approval": {"ask": "May we?", "approvers": ["role:approver"]},
}


@pytest.fixture
def stage(database: Database, clock: SettableClock, tmp_path: Path) -> Stage:
    return Stage(database, clock, tmp_path)


def texts(stage: Stage, console: str, *, remind: bool = False) -> list[str]:
    engine = stage.engine(console=console)
    while engine.work():
        pass
    if remind:
        engine.remind()
    found = (stage.folder / "outbox").glob("*.json")
    return [json.loads(path.read_text())["text"] for path in found]


@pytest.mark.parametrize(
    ("number", "text", "console", "expected"),
    [
        pytest.param(None, "At this.", "", "At this.", id="nobody said where it is"),
        pytest.param(
            None, "At this.", "https://soc.example", "At this.\n\nhttps://soc.example/runs/RUN-1",
            id="a run",
        ),
        pytest.param(None, "", "https://soc.example", "https://soc.example/runs/RUN-1", id="alone"),
    ],
)  # fmt: skip
def test_a_message_ends_with_the_page_that_it_is_about(
    stage: Stage, number: int | None, text: str, console: str, expected: str
) -> None:
    step = {**TELL, "with": {**TELL["with"], "text": text}}
    stage.queue(playbook([step]), number=number)

    assert texts(stage, console) == [expected]


def test_who_is_asked_is_led_to_the_question(stage: Stage) -> None:
    stage.queue(playbook([ASK]))

    assert texts(stage, "https://soc.example", remind=True) == [
        "May we?\n\nhttps://soc.example/approvals/1"
    ]


@pytest.mark.parametrize("url", ["soc.example", "ftp://soc.example", "https://a@b", "https://a?b"])
def test_what_is_no_address_of_a_console_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        Web(url=url)
