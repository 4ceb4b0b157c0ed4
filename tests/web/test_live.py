"""Open pages learn that something changed, and the store is hardly asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from soc.incidents import lifecycle
from soc.web.console import live
from soc.web.console.shell import Console
from tests.web.story import NOW, Site, opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


def test_an_act_on_an_incident_changes_the_tag_and_the_counts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY", 0.0)
    browser = site.browser("ann")
    first = browser.get("/live")
    same = browser.get("/live", headers={"If-None-Match": first.headers["etag"]})

    with site.front.writing() as writing:
        lifecycle.close(writing, 2, "test", "A drill", "user:ann", NOW)
    other = browser.get("/live", headers={"If-None-Match": first.headers["etag"]})

    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200
    assert other.json()["cases"] > first.json()["cases"]
    assert first.json()["counts"] | {"/queue": 1} == other.json()["counts"]
    assert first.json()["counts"]["/approvals"] == 1


def test_other_acts_do_not_make_pages_look_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY", 0.0)
    browser = site.browser("ann")
    first = browser.get("/live").headers["etag"]

    site.browser("rob")

    assert browser.get("/live", headers={"If-None-Match": first}).status_code == 304


def test_the_store_is_looked_at_once_a_second_however_many_ask(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(live, "monotonic", lambda: now[0])
    pulse, asked = live.Pulse(Console(site.front)), [0]

    def count(*_: object) -> None:
        asked[0] += 1

    event.listen(site.front.suite.database, "before_cursor_execute", count)
    pulse.beat()
    once = asked[0]
    for _ in range(1_000):
        pulse.beat()
    assert asked[0] == once > 0
    now[0] += 1.0
    pulse.beat()

    assert once < asked[0] < 3 * once
    event.remove(site.front.suite.database, "before_cursor_execute", count)


def test_who_is_not_signed_in_learns_nothing(site: Site) -> None:
    answer = site.browser().get("/live")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
