"""Suppressions by API, console and command: the back-test is seen before anything is saved."""

from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from re import search
from urllib.parse import urlencode

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from soc.app.suite import Suite
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.store.session import reading, session
from soc.store.tables import Alert, Suppression
from tests.web.story import EVIL, WALLET, Site, opened
from tests.web.story import finding as told

Headers = dict[str, dict[str, str]]
Make = Callable[..., Finding]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


def test_the_api_saves_what_was_tested_and_ends_it(
    client: TestClient, tokens: Headers, suite: Suite, finding: Make
) -> None:
    with session(suite.database) as writing:
        record(writing, [finding(count=4)], {}, suite.clock.now(), suite.settings.incidents)
    about = {"rule": "some-rule"}
    more = {"reason": "a scanner", "until": "2026-12-01T00:00:00Z", "mode": "active"}

    def post(path: str, who: str, **body: str):
        return client.post(f"/api/v1/suppressions{path}", json=body, headers=tokens[who])

    tested = post("/test", "read", **about).json()
    unseen = post("", "person", **about, **more, seen="")
    machine = post("", "triage", **about, **more, seen=tested["seen"])
    saved = post("", "person", **about, **more, seen=tested["seen"])

    assert (tested["alerts"], tested["findings"], tested["incidents"]) == (1, 4, 1)
    assert tested["words"] == "would have hidden 1 alerts in 90 days, 0 true positives"
    assert (unseen.status_code, machine.status_code, saved.status_code) == (400, 403, 201)
    assert saved.json()["id"] == "SUP-1"
    assert saved.json()["owner"] == "user:rhea"
    with session(suite.database) as writing:
        record(writing, [finding()], {}, suite.clock.now(), suite.settings.incidents)
    alert = client.get("/api/v1/alerts/2", headers=tokens["read"]).json()
    assert (alert["state"], [one["id"] for one in alert["suppressed_by"]]) == (
        "suppressed",
        ["SUP-1"],
    )
    listed = client.get("/api/v1/suppressions?state=live", headers=tokens["read"]).json()["items"]
    assert [(one["state"], one["alerts"], one["findings"]) for one in listed] == [("active", 1, 1)]
    assert post("/1/expire", "person", reason="done").json()["state"] == "withdrawn"
    assert post("/1/expire", "person", reason="done").status_code == 409
    assert post("/2/expire", "person", reason="done").status_code == 404
    assert (
        client.get("/api/v1/suppressions?state=live", headers=tokens["read"]).json()["items"] == []
    )


def test_the_form_shows_the_back_test_and_saves_what_was_shown(site: Site) -> None:
    browser = site.browser("ann")
    page = browser.get("/alerts/1").text
    link = unescape(search(r'href="(/suppressions/new\?[^"]+)"', page)[1])

    form = browser.get(link).text
    seen = unescape(search(r'name="seen" value="([^"]+)"', form)[1])
    typed = {"rule": "qf-wallet-flood", "entity": f"wallet:{WALLET}", "match": ""}
    wanted = {**typed, "reason": f"payroll {EVIL}", "mode": "active", "days": "7", "seen": seen}
    bare = browser.post("/suppressions/new", data={**wanted, "reason": " "})
    other = browser.post("/suppressions/new", data={**wanted, "rule": "wallet-anomaly"})
    done = browser.post("/suppressions/new", data=wanted)

    assert "Would have hidden 1 alerts in 90 days, 0 true positives" in form
    assert (bare.status_code, other.status_code, done.status_code) == (422, 409, 303)
    assert "Reason: write why nobody needs to be told" in bare.text
    listed = browser.get("/suppressions").text
    assert f"rule qf-wallet-flood and wallet:{WALLET}" in listed
    assert EVIL not in listed
    ended = browser.post("/suppressions/SUP-1/expire", data={"reason": "it is real"})
    assert ended.status_code == 303
    assert "it is real" in browser.get("/suppressions?state=withdrawn").text
    assert "Nothing is hidden" in browser.get("/suppressions").text


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 200, "What is meant"),
        ({"rule": "soc-source-silent"}, 422, "cannot be hidden"),
        ({"match": "no-mark"}, 422, "write a matched field"),
        ({"entity": "list:none"}, 200, "Would have hidden 0 alerts"),
    ],
)
def test_what_is_typed_is_answered(
    still: Site, query: dict[str, str], status: int, words: str
) -> None:
    answer = still.seen_by("vera").get(f"/suppressions/new?{urlencode(query)}")

    assert answer.status_code == status
    assert words in answer.text


def test_who_may_not_saves_and_ends_nothing(site: Site) -> None:
    form = {"rule": "x", "reason": "r", "seen": "s"}

    assert site.browser("vera").post("/suppressions/new", data=form).status_code == 403
    assert site.browser("vera").post("/suppressions/SUP-1/expire", data=form).status_code == 403
    with site.front.reading() as looking:
        assert looking.exec(select(Suppression)).all() == []


def test_the_count_of_alerts_leads_to_them(site: Site) -> None:
    browser = site.browser("ann")
    form = browser.get("/suppressions/new?rule=qf-wallet-flood").text
    seen = unescape(search(r'name="seen" value="([^"]+)"', form)[1])
    saved = {"rule": "qf-wallet-flood", "reason": "r", "mode": "active", "days": "7", "seen": seen}
    assert browser.post("/suppressions/new", data=saved).status_code == 303
    with site.front.writing() as writing:
        record(writing, [told()], {}, site.clock.now(), site.front.suite.settings.incidents)

    listed = browser.get("/alerts?suppression=SUP-1").text

    with reading(site.front.suite.database) as looking:
        hidden = looking.exec(select(Alert.id).where(Alert.state == "suppressed")).one()
    assert f'href="/alerts/{hidden}"' in listed
    assert "1 alert" in listed
    twin = browser.get("/api/v1/alerts?suppression=SUP-1").json()["items"]
    assert [alert["id"] for alert in twin] == [hidden]
    assert browser.get("/alerts?suppression=none").status_code == 404
    assert "SUP-1" in browser.get(f"/alerts/{hidden}").text
