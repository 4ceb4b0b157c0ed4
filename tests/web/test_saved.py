"""A filter that is saved leads back to what it showed, for its owner alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from soc.access import keys
from soc.store.tables import AuditRow
from soc.web import saved
from tests.web.story import Site, opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "home") as site:
        yield site


def test_a_saved_view_stands_among_the_views_of_its_page_and_owner(site: Site) -> None:
    ann, rob = site.browser("ann"), site.browser("rob")
    target = "/queue?q=nginx&state=all"

    made = ann.post("/views", data={"name": "Gaps <img src=x>", "target": target})

    assert (made.status_code, made.headers["location"]) == (303, target)
    shown = ann.get("/queue").text
    assert 'href="/queue?q=nginx&amp;state=all"' in shown
    assert "<img" not in shown
    assert "Gaps" not in rob.get("/queue").text
    assert "Gaps" not in ann.get("/alerts").text
    assert "Gaps" in ann.get("/queue?kind=operations").text


@pytest.mark.parametrize("page", ["/queue", "/alerts", "/hunt"])
def test_each_page_with_a_filter_keeps_views(site: Site, page: str) -> None:
    ann = site.browser("ann")
    query = f"{page}?q=event.action%3Alogin" if page == "/hunt" else page

    ann.post("/views", data={"name": "Kept", "target": query})

    assert ">Kept</a>" in ann.get(query).text
    assert "Save view" in ann.get(query).text
    gone = ann.post("/views/delete", data={"name": "Kept"})
    assert (gone.status_code, gone.headers["location"]) == (303, page)
    assert ">Kept</a>" not in ann.get(query).text


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (" ", "/queue"),
        ("a/b", "/queue"),
        ("x" * 61, "/queue"),
        ("a", "https://evil.example/queue"),
        ("a", "//evil.example/queue"),
        ("a", "/queue\\x"),
        ("a", "/logout"),
        ("a", "/queue/../logout"),
        ("a", "/queue?q=\u00e9"),
    ],
)
def test_what_is_no_filter_of_ours_is_refused(still: Site, name: str, target: str) -> None:
    answer = still.seen_by("ann").post("/views", data={"name": name, "target": target})

    assert answer.status_code == 422
    assert "The view was not saved" in answer.text


def test_the_api_keeps_changes_and_deletes_ones_own(site: Site) -> None:
    ann, rob = site.browser("ann"), site.browser("rob")
    view = {"name": "Mine", "target": "/queue?mine=1"}

    assert ann.post("/api/v1/views", json=view).status_code == 201
    ann.post("/api/v1/views", json={**view, "target": "/queue?due=30"})

    items = ann.get("/api/v1/views").json()["items"]
    assert [(one["name"], one["target"]) for one in items] == [("Mine", "/queue?due=30")]
    assert rob.get("/api/v1/views").json()["items"] == []
    assert rob.delete("/api/v1/views/Mine").status_code == 404
    assert ann.delete("/api/v1/views/Mine").status_code == 204
    assert ann.get("/api/v1/views").json()["items"] == []
    with site.front.reading() as looking:
        rows = looking.exec(select(AuditRow).where(AuditRow.object == "view:ann/Mine"))
        assert [row.action for row in rows] == ["view.save", "view.save", "view.delete"]


def test_there_is_an_end_to_views(site: Site) -> None:
    ann = site.browser("ann")
    for number in range(saved.MOST):
        ann.post("/api/v1/views", json={"name": f"v{number}", "target": "/queue"})

    one_more = ann.post("/views", data={"name": "one more", "target": "/queue"})
    known = ann.post("/views", data={"name": "v1", "target": "/alerts"})

    assert one_more.status_code == 409
    assert "delete one first" in one_more.text
    assert known.status_code == 303


def test_a_machine_has_no_views(site: Site) -> None:
    with site.front.writing() as writing:
        token = keys.create_token(writing, "m", "admin", None, site.clock.now())
    headers = {"Authorization": f"Bearer {token}"}

    assert site.browser().get("/api/v1/views", headers=headers).status_code == 403
    assert "Save view" not in site.browser().get("/queue", headers=headers).text
