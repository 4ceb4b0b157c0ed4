"""Sixty disturbances, and every run, step and effect is where it must be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trials import respond

DISTURBANCES = 60


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[respond.Store]:
    if request.param == "sqlite":
        yield respond.sqlite(tmp_path)
        return
    with respond.postgresql() as server:
        yield server


def test_nothing_is_lost_and_nothing_done_twice(store: respond.Store, tmp_path: Path) -> None:
    found = respond.play(store, tmp_path, DISTURBANCES, gap=0.2)

    assert found["wrong"] == {}
    assert sum(found["disturbances"].values()) == DISTURBANCES
    assert found["incidents"] > 0
    assert sum(found["runs"].values()) >= found["incidents"]
