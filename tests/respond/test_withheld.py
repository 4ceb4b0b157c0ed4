"""What TLP and PAP of an incident forbid does not leave, whatever a playbook says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from soc.clock import SettableClock
from soc.incidents import sharing
from soc.incidents.record import record
from soc.incidents.sharing import Pap, Tlp
from soc.model.finding import Finding
from soc.store.session import Database, session
from soc.triage import Incidents
from tests.respond.stage import Stage

ASK = {"id": "ask", "use": "http.get", "with": {"url": "https://names.example/x"}}
TELL = {
    "id": "tell",
    "use": "notify.send",
    "with": {"to": ["role:admin"], "title": "The treasury", "text": "drained"},
}


@pytest.fixture
def stage(
    database: Database, clock: SettableClock, tmp_path: Path, finding: Callable[..., Finding]
) -> Stage:
    with session(database) as writing:
        record(writing, [finding()], {}, clock.now(), Incidents())
    return Stage(database, clock, tmp_path)


def marked(stage: Stage, tlp: Tlp | None, pap: Pap | None) -> None:
    with session(stage.database) as writing:
        sharing.mark(writing, 1, tlp, pap, "user:ines", stage.clock.now())


@pytest.mark.parametrize(
    ("pap", "says"),
    [(Pap.RED, "INC-1 is PAP:RED: http.get would leave"), (Pap.AMBER, "nothing outside can be")],
)
def test_pap_red_asks_nobody_and_amber_asks(stage: Stage, pap: Pap, says: str) -> None:
    marked(stage, None, pap)

    run = stage.run([ASK], number=1)

    assert run.state == "failed"
    assert says in run.reason


def test_a_message_about_what_is_tlp_red_says_only_that_it_is_there(stage: Stage) -> None:
    marked(stage, Tlp.RED, None)

    stage.run([TELL], number=1)

    (message,) = [json.loads(p.read_text()) for p in (stage.folder / "outbox").glob("*.json")]
    assert (message["title"], message["text"]) == ("INC-1 is TLP:RED: read it in the console", "")


def test_a_message_about_anything_else_says_what_it_says(stage: Stage) -> None:
    stage.run([TELL], number=1)

    (message,) = [json.loads(p.read_text()) for p in (stage.folder / "outbox").glob("*.json")]
    assert (message["title"], message["text"]) == ("The treasury", "drained")
