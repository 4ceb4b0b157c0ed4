"""Incidents are worked from the command line as from the API, and every act can be taken back."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from soc.app.suite import Suite
from soc.cli import main
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.store.session import session

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    home: Path,
    suite: Suite,
    finding: Callable[..., Finding],
) -> Run:
    """Run one command on a home with two incidents."""
    monkeypatch.delenv("SOC_TOKEN", raising=False)
    found = [finding("wallet:0xa"), finding("wallet:0xa", "other"), finding("wallet:0xb")]
    with session(suite.database) as writing:
        record(writing, found, {}, suite.clock.now(), suite.settings.incidents)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["soc", *words, "--home", str(home)])
        try:
            main.run()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def shown(run: Run, incident: str) -> dict[str, object]:
    return dict(json.loads(run("incidents", "show", incident, "--json")[1]))


def test_a_merge_says_how_it_is_taken_back(run: Run) -> None:
    code, out, _ = run("incidents", "merge", "INC-2", "INC-1", "--reason", "one person")
    assert (code, shown(run, "INC-2")["part_of"]) == (0, "INC-1")

    act = re.findall(r"undo (\d+)", out)[0]
    assert run("incidents", "undo", act)[0] == 0
    assert shown(run, "INC-2")["part_of"] is None


def test_a_split_and_a_detach(run: Run) -> None:
    assert run("incidents", "split", "INC-1", "2", "--reason", "x")[1].startswith("INC-3 has 1")
    assert run("incidents", "detach", "INC-1", "1", "--reason", "x")[0] == 0
    assert shown(run, "INC-1")["alerts"] == []


def test_what_is_kept_with_an_incident(run: Run, tmp_path: Path) -> None:
    (tmp_path / "seen.txt").write_text("seen")
    for words in (
        ("rate", "INC-1", "critical"),
        ("share", "INC-1", "--tlp", "red", "--pap", "amber"),
        ("name", "INC-1", "ip:192.0.2.1", "--ignored"),
        ("task", "INC-1", "ask the donor", "--assignee", "otto"),
        ("attach", "INC-1", str(tmp_path / "seen.txt")),
    ):
        assert run("incidents", *words)[0] == 0, words

    whole = shown(run, "INC-1")
    assert (whole["severity"], whole["tlp"], whole["pap"]) == ("critical", "red", "amber")
    assert whole["ignored"] == ["ip:192.0.2.1"]
    assert [t["assignee"] for t in whole["tasks"]] == ["otto"]  # type: ignore[union-attr,index,attr-defined]
    assert [f["name"] for f in whole["files"]] == ["seen.txt"]  # type: ignore[union-attr,index,attr-defined]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rate", "INC-1", "awful"), "write informational, low"),
        (("share", "INC-1", "--tlp", "pink"), "--tlp: write red"),
        (("name", "INC-1", "0xab"), "write kind and value"),
        (("attach", "INC-1", "nowhere"), "nowhere is no file"),
        (("reopen", "INC-1", "--reason", "x"), "SOC_TOKEN"),
        (("undo", "77"), "77"),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_what_cannot_be_done_says_what_to_write(
    run: Run, words: tuple[str, ...], says: str
) -> None:
    code, _, err = run("incidents", *words)

    assert (code, says in err) == (1, True), err
