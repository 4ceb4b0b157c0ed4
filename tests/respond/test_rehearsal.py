"""Tests beside playbooks: what they say is what a real run would do."""

from pathlib import Path
from typing import Any

import yaml

from soc.app.testing import test_playbooks as run_tests
from soc.respond.rehearsal import run
from tests.respond.stage import ACTIONS, HEAD

ASK = {"id": "ask", "approval": {"ask": "?", "approvers": ["role:admin"], "expires": "25h"}}
CASES: dict[str, Any] = {
    "schema": "commonwatch.playbook-test/1",
    "tests": [{"name": "nobody answers", "expect": {"state": "done"}}],
}


def write(folder: Path, name: str, steps: list[dict[str, Any]]) -> Path:
    """Write a playbook and its test into *folder*; return the test's file."""
    test = folder / f"{name}.test.yml"
    (folder / f"{name}.yml").write_text(yaml.safe_dump({**HEAD, "playbook": name, "steps": steps}))
    test.write_text(yaml.safe_dump({**CASES, "playbook": name}))
    return test


def test_a_playbook_may_wait_more_than_a_day_for_another(tmp_path: Path) -> None:
    write(tmp_path, "child", [ASK])
    test = write(tmp_path, "parent", [{"id": "more", "playbook": "child"}])

    (result,), _ = run(test, ACTIONS)

    assert result.problem == ""


def test_the_file_of_a_test_needs_no_test_beside_it(tmp_path: Path) -> None:
    test = write(tmp_path, "child", [{**ASK, "approval": {**ASK["approval"], "expires": "1h"}}])

    results, coverage = run_tests([test])

    assert [result["problem"] for result in results] == [""]
    assert [one["missed"] for one in coverage] == [["ask: never approved"]]
