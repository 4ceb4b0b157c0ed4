"""One whole round, graded from outside."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.trial
@pytest.mark.timeout(300)
def test_one_round_meets_every_requirement(tmp_path: Path) -> None:
    rounds = _module(Path(__file__).with_name("rounds.py"))
    home = tmp_path / "a home with spaces"

    result = rounds.play(1, home)
    graded = rounds.grade(home, 0)

    assert graded.returncode == 0, graded.stdout + graded.stderr
    assert {attack["kind"] for attack in result["attacks"]} == {
        "sybil_fanout",
        "admin_bruteforce",
        "api_abuse",
        "fake_event",
        "indexer_lag",
    }
    assert all(attack["incident"] for attack in result["attacks"])
