"""The trial of the event store, short: ``make trial-store`` plays three hundred kills."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.mark.trial
@pytest.mark.timeout(400)
def test_eight_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "store_trial", Path(__file__).with_name("store.py")
    )
    assert spec is not None
    assert spec.loader is not None
    trial = importlib.util.module_from_spec(spec)
    sys.modules["store_trial"] = trial  # dataclasses look their module up
    spec.loader.exec_module(trial)

    result = trial.trial(tmp_path, 8, 5)

    assert result["wrong"] == {}
    assert result["acknowledged"] > 1_000
