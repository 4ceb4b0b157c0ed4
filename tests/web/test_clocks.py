"""The queue and the incident page say by when something is due, and the view shows what is soon."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from soc.incidents import lifecycle
from soc.incidents.lifecycle import IncidentState
from tests.web.story import Site, opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


def due(site: Site) -> list[str]:
    """Return the incidents of the view of what is due soon."""
    page = site.browser("vera").get("/queue?due=30").text
    return [name for name in ("INC-1", "INC-2", "INC-3") if f"/incidents/{name}" in page]


def test_what_is_due_soon_is_a_view(site: Site) -> None:
    """INC-1 is high and was opened half an hour ago: acknowledged within an hour."""
    assert due(site) == ["INC-1"]
    page = site.browser("vera").get("/queue").text
    assert "in 30\xa0min" in page
    assert "no clock" in page

    site.clock.moment += timedelta(hours=3)
    assert "breached 2\xa0h\xa030\xa0min ago" in site.browser("vera").get("/queue").text

    with site.front.writing() as writing:
        lifecycle.move(writing, 1, IncidentState.ON_HOLD, "user:ann", site.clock.now())
    assert due(site) == []
    held = site.browser("vera")
    assert "on hold" in held.get("/queue").text
    assert "stands still on hold" in held.get("/incidents/INC-1").text


def test_the_twin_says_the_same(site: Site) -> None:
    browser = site.browser("vera")

    listed = {one["id"]: one for one in browser.get("/api/v1/incidents").json()["items"]}
    whole = browser.get("/api/v1/incidents/INC-1").json()

    soon = browser.get("/api/v1/incidents?due=30").json()["items"]
    assert [one["id"] for one in soon] == ["INC-1"]
    assert listed["INC-1"]["due"] == {
        "clock": "acknowledge", "state": "running", "due": "2026-11-23T09:12:10Z"
    }  # fmt: skip
    assert (listed["INC-2"]["due"], listed["INC-2"]["clocks"]) == (None, [])
    assert whole["clocks"] == listed["INC-1"]["clocks"]
    assert [one["clock"] for one in whole["clocks"]] == ["acknowledge", "resolve"]
