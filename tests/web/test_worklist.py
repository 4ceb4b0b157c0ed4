"""The bar of the queue acts on all that was chosen, or on nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlmodel import select

from soc.incidents import lifecycle, queue
from soc.store.tables import AuditRow, Incident
from tests.conftest import NOON
from tests.web.story import Site, opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


def states(site: Site, *numbers: int) -> list[tuple[str, str | None, str]]:
    with site.front.reading() as looking:
        found = [lifecycle.get(looking, number) for number in numbers]
        return [(str(one.state), one.owner, str(one.severity)) for one in found]


def acts(site: Site) -> list[tuple[str, str]]:
    with site.front.reading() as looking:
        rows = looking.exec(select(AuditRow).where(AuditRow.actor == "user:ann"))
        return [(row.action, row.object) for row in rows if row.action.startswith("incident.")]


def test_all_chosen_are_assigned_and_each_is_an_act(site: Site) -> None:
    form = {"chosen": ["INC-1", "INC-2", "INC-1"], "back": "/queue?q=nginx"}

    answer = site.browser("ann").post("/queue/assign", data=form)

    assert (answer.status_code, answer.headers["location"]) == (303, "/queue?q=nginx")
    assert states(site, 1, 2) == [
        ("in_progress", "ann", "high"),
        ("in_progress", "ann", "medium"),
    ]
    assert acts(site) == [("incident.assign", "incident:1"), ("incident.assign", "incident:2")]


def test_one_that_cannot_leaves_the_others_as_they_were(site: Site) -> None:
    browser = site.browser("ann")
    assert browser.post("/queue/escalate", data={"chosen": ["INC-1"]}).status_code == 303

    answer = browser.post("/queue/escalate", data={"chosen": ["INC-2", "INC-1"]})

    assert answer.status_code == 409
    assert "INC-1 is critical: there is nothing above it." in answer.text
    assert "None of them was changed" in answer.text
    assert [severity for _, _, severity in states(site, 1, 2)] == ["critical", "medium"]


def test_close_needs_a_verdict_and_a_line(site: Site) -> None:
    browser, chosen = site.browser("ann"), {"chosen": ["INC-1", "INC-2"]}

    mute = browser.post("/queue/close", data={**chosen, "verdict": "test"})
    open_ = browser.post("/queue/close", data={**chosen, "note": "A drill"})
    done = browser.post("/queue/close", data={**chosen, "verdict": "test", "note": "A drill"})

    assert (mute.status_code, open_.status_code, done.status_code) == (409, 409, 303)
    assert "A note is needed" in mute.text
    assert "A verdict is needed" in open_.text
    assert [state for state, _, _ in states(site, 1, 2)] == ["closed", "closed"]


def test_merge_goes_into_the_named_or_the_first(site: Site) -> None:
    browser = site.browser("ann")

    alone = browser.post("/queue/merge", data={"chosen": ["INC-1"], "reason": "one outage"})
    kinds = browser.post("/queue/merge", data={"chosen": ["INC-1", "INC-2"], "reason": "one"})
    named = browser.post("/queue/merge", data={"chosen": ["INC-1"], "into": "INC-x"})

    assert (alone.status_code, kinds.status_code, named.status_code) == (409, 409, 404)
    assert "Choose at least two" in alone.text
    assert "INC-2 and INC-1 are of two kinds" in kinds.text


@pytest.mark.parametrize("act", ["assign", "escalate", "merge", "close"])
def test_who_may_not_triage_changes_nothing(still: Site, act: str) -> None:
    form = {"chosen": ["INC-1"], "verdict": "test", "note": "x", "reason": "x", "into": "INC-2"}

    answer = still.seen_by("vera").post(f"/queue/{act}", data=form)

    assert answer.status_code == 403
    assert states(still, 1) == [("new", None, "high")]


def test_nothing_chosen_is_said(site: Site) -> None:
    answer = site.browser("ann").post("/queue/assign", data={})

    assert answer.status_code == 422
    assert "chosen" in answer.text


def test_more_than_a_page_is_refused(site: Site) -> None:
    answer = site.browser("ann").post("/queue/assign", data={"chosen": ["INC-1"] * 101})

    assert answer.status_code == 422


def test_what_is_found_too_often_to_count_says_so_and_goes_on(site: Site) -> None:
    same = {"severity": "low", "state": "new", "first": NOON, "created": NOON, "changed": NOON}
    with site.front.writing() as writing:
        writing.execute(insert(Incident), [{"title": "Alike", **same}] * (queue.FEW + 1))
    browser = site.browser("ann")

    found = browser.get("/queue?q=alike").text
    last = browser.get(f"/queue?q=alike&page={queue.FEW // 50 + 1}").text

    assert "More than 2,000 incidents, 50 shown" in found
    assert "page=2" in found
    assert ("More than 2,000 incidents, 1 shown" in last, ">Next<" in last) == (True, False)
