"""Pages by cursor: every row once, whatever is added meanwhile."""

from collections.abc import Iterator

import pytest

from tests.web.story import Site, opened


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with opened(tmp_path_factory.mktemp("paging") / "home") as site:
        yield site


def test_pages_give_every_row_once(site: Site) -> None:
    every = site.seen_by("vera").get("/api/v1/alerts?limit=1000").json()["items"]
    seen, cursor = [], ""
    while cursor is not None:
        page = (
            site.seen_by("vera")
            .get(f"/api/v1/alerts?limit=1{f'&cursor={cursor}' * bool(cursor)}")
            .json()
        )
        seen += page["items"]
        cursor = page["next"]

    assert len(every) > 1
    assert seen == every


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "eyJhIjoxfQ", "WzEsMl0"])
def test_a_strange_cursor_is_refused(site: Site, cursor: str) -> None:
    answer = site.seen_by("vera").get(f"/api/v1/alerts?cursor={cursor}")

    assert answer.status_code == 400
    assert "begin without one" in answer.text
