"""Models are learned anew by the clock, once for all workers, and a failure is told."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from sqlmodel import select

from soc.app.retraining import Retraining, again
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import NotFound
from soc.intelligence import registry
from soc.store.session import reading
from soc.store.tables import Alert
from tests.conftest import NOON
from tests.intelligence.test_learning import shown

PATIENCE = 60
GIVEN = {
    "task": "returns",
    "every": "1d",
    "window": "6h",
    "moments": 5,
    "models": ["ridge"],
    "without": ["suspicious_ratio", "rare_project_share"],
}


@pytest.fixture
def suite(home: Path, clock: SettableClock) -> Suite:
    settings = {"intelligence": {"retrain": [GIVEN]}}
    (home / "settings.yml").write_text(yaml.safe_dump(settings))
    return Suite(home, clock)


def ended(retraining: Retraining) -> list[str]:
    """Wait until the child is gone; return what look says then."""
    assert retraining._child
    retraining._child.wait(PATIENCE)
    return retraining.look()


def rules(suite: Suite) -> list[str]:
    with reading(suite.database) as looking:
        return [row.rule for row in looking.exec(select(Alert))]


def test_what_fails_is_told_once_and_tried_again_when_it_is_due(
    suite: Suite, clock: SettableClock
) -> None:
    one, other = Retraining(suite), Retraining(suite)

    assert (one.look(), other.look()) == ([], [])
    assert other._child is None
    assert ended(one) == ["returns"]
    assert rules(suite) == ["soc-retrain-failed"]
    with reading(suite.database) as looking:
        (alert,) = looking.exec(select(Alert)).all()
    assert "the view has no transaction" in alert.reasons_json
    clock.moment = NOON + timedelta(hours=23)
    assert (one.look(), one._child) == ([], None)
    clock.moment = NOON + timedelta(hours=25)
    other.look()
    assert other._child is not None
    assert ended(other) == ["returns"]


def test_a_task_is_learned_and_scored_as_settings_say(suite: Suite, clock: SettableClock) -> None:
    shown(suite)
    clock.moment = NOON + timedelta(days=2)

    again(suite, "returns")

    with reading(suite.database) as looking:
        (row,) = registry.listed(looking)
        assert (row.state, row.created_by) == ("champion", "soc")
    assert suite.reader.scan(0, 1_000).column("dataset")[0] == "soc.score"
    with pytest.raises(NotFound, match=r"intelligence\.retrain high-value"):
        again(suite, "high-value")
