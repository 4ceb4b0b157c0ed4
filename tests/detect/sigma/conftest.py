from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset

Load = Callable[..., Ruleset]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load files that are given as texts or values, by name; without pipelines by default."""

    def write_and_load(files: dict[str, Any], pipelines: tuple[str, ...] | None = ()) -> Ruleset:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else yaml.safe_dump(content)
            path.write_text(text, encoding="utf-8")
        return load_rules([tmp_path], pipelines)

    return write_and_load


@pytest.fixture
def rule_of() -> Callable[..., dict[str, Any]]:
    """Return a rule with the given selection, or with the given detection as a whole."""

    def make(selection: object = None, **keys: object) -> dict[str, Any]:
        detection = {"selection": selection, "condition": "selection"}
        source = {"product": "shop", "service": "audit"}
        return {"title": "Rule", "logsource": source, "detection": detection} | keys

    return make


@pytest.fixture
def fires(load: Load, rule_of: Callable[..., dict[str, Any]]) -> Callable[..., bool]:
    """Return whether a rule with the given selection hits the given event."""

    def ask(selection: object, event: dict[str, Any], **keys: object) -> bool:
        ruleset = load({"rule.yml": rule_of(selection, **keys)})
        assert ruleset.failed == ()
        outcome = ruleset.match(event)
        assert not outcome.errors
        return bool(outcome.hits)

    return ask
