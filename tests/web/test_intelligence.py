"""What was learned is shown with interval and size, and changed with a reason by who may."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from soc.access.permissions import Role
from soc.app import learning, telling
from soc.store.tables import AuditRow
from tests.conftest import NOON
from tests.intelligence.gifts import wallet
from tests.intelligence.test_learning import ASKED, kept, shown
from tests.web.story import Site, opened, user

Plain = dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with two models and a report."""
    with opened(tmp_path_factory.mktemp("told") / "home") as site:
        suite = site.front.suite
        shown(suite)
        for seed in (1, 2):
            learning.train(suite, replace(ASKED, seed=seed), "user:ann")
        site.clock.moment = NOON + timedelta(days=2)
        telling.keep(suite, telling.story(suite, timedelta(days=1), None))
        yield site


def get(site: Site, path: str, status: int = 200) -> Plain:
    answer = site.seen_by("vera").get(f"/api/v1/{path}", headers={"Accept": "application/json"})
    assert answer.status_code == status, answer.text
    found: Plain = answer.json()
    return found


def test_the_page_shows_report_models_and_comparison(told: Site) -> None:
    page = told.seen_by("vera").get("/intelligence").text

    for words in (
        "Will a user give again within 6h?",
        "returns/1",
        "returns/2",
        "Champion",
        "Challenger",
        "Moved since the window before",
        "KPIs over time",
        "Groups of users",
        "Suggestions of projects",
        "Projects that go together",
        "experiment create",
        "random-forest" if "random-forest" in ASKED.models else "ridge",
    ):
        assert words in page
    assert "Promote…" not in page
    assert "n = 561" in page


def test_the_api_has_the_report_and_the_cards(told: Site) -> None:
    report, models = get(told, "intelligence"), get(told, "models")["items"]

    assert report["schema"] == "commonwatch.intelligence-report/2"
    assert [(one["model"], one["state"]) for one in models] == [
        ("returns/2", "challenger"),
        ("returns/1", "champion"),
    ]
    assert get(told, "models/returns/1") == models[1]
    for path in ("models/returns/9", "models/value/1"):
        get(told, path, 404)


def test_the_api_has_each_part_of_the_report(told: Site) -> None:
    whole = get(told, "intelligence")

    for part in ("data", "clusters", "recommender", "associations", "experiments", "trends"):
        found = get(told, f"intelligence/{part}")
        assert found == {"made": whole["made"], "as_of": whole["data"]["as_of"], part: whole[part]}
    assert "clusters" in str(get(told, "intelligence/joy", 422))


def test_projects_are_suggested_to_a_wallet(told: Site) -> None:
    made = get(told, f"intelligence/suggestions?wallet={wallet(1)}&n=2")

    assert len(made["suggestions"]) == 2
    assert not {one["project"] for one in made["suggestions"]} & {*made["given"]}
    assert "write an address" in get(told, "intelligence/suggestions?wallet=me", 400)["detail"]


def test_who_writes_rules_promotes_with_a_reason(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as site:
        with site.front.writing() as writing:
            writing.add(user("ada", {Role.AUTHOR}))
            kept(writing)
        _promoted(site)


def _promoted(site: Site) -> None:
    path, browser = "/models/returns/2/promote", site.browser("ada")
    forbidden = site.browser("vera").post(path, data={"reason": "r"})
    mute = browser.post(path, data={"reason": " "})
    done = browser.post(path, data={"reason": "fresher"})
    again = browser.post(path, data={"reason": "fresher"})
    api = {"headers": {"Accept": "application/json"}, "json": {"reason": "worse"}}
    back = browser.post("/api/v1/models/returns/rollback", **api)
    once_more = browser.post("/api/v1/models/returns/2/promote", **api)

    assert (forbidden.status_code, mute.status_code, done.status_code) == (403, 409, 303)
    assert again.status_code == 409
    assert (back.status_code, back.json()["model"]) == (200, "returns/1")
    assert (once_more.status_code, once_more.json()["state"]) == (200, "champion")
    with site.front.reading() as looking:
        rows = looking.exec(select(AuditRow).where(AuditRow.action == "model.promote")).all()
    assert [row.actor for row in rows][1:] == ["user:ada"] * 3


def test_before_the_first_report_the_page_says_what_to_do(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as site:
        page = site.seen_by("vera").get("/intelligence").text

        assert "soc intelligence build" in page
        assert "No model was learned yet" in page
        assert "soc intelligence report" in get(site, "intelligence", 404)["detail"]
        none = f"intelligence/suggestions?wallet={wallet(1)}"
        assert "run soc intelligence build" in get(site, none, 404)["detail"]
