"""Six kills in a load of its own; ``make trial-main`` does sixty while demo rounds are played."""

import importlib.util
from pathlib import Path

import pytest


@pytest.mark.trial
@pytest.mark.timeout(400)
def test_six_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    path = Path(__file__).with_name("kills.py")
    spec = importlib.util.spec_from_file_location("kills", path)
    assert spec is not None
    assert spec.loader is not None
    kills = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["kills"] = kills  # dataclasses look their module up
    spec.loader.exec_module(kills)

    result = kills.trial(tmp_path, 6, 4.0, 7, play=False)

    assert result["wrong"] == {}
    assert result["kills"] == 6
    assert result["acknowledged"] > 1000
    assert result["floods"] > 1
