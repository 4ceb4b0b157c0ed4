"""Analysts ask by filter, SQL or Sigma; a rule that is kept may act only when somebody lets it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session
from starlette.testclient import TestClient

from soc.access.permissions import Role
from soc.app.taking import Lines
from soc.store.tables import RuleState
from tests.web.story import NOW, PEOPLE, Site, opened

RULE = """title: Somebody asked
name: my-rule
status: experimental
level: high
logsource: {product: shop, service: access}
detection:
  asked: {event.action: request}
  condition: asked
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setitem(PEOPLE, "ada", {Role.AUTHOR})
    with opened(tmp_path / "home") as site:
        lines = [
            json.dumps(
                {
                    "@timestamp": NOW.isoformat(),
                    "event": {"dataset": "shop.access", "action": "request"},
                    "user": {"name": f"u{n % 2}"},
                }
            ).encode()
            for n in range(10)
        ]
        site.front.store_lines(Lines.of(lines, "shop", "auto"))
        yield site


def ask(client: TestClient, **asked: str) -> dict[str, object]:
    answer = client.get("/api/v1/hunt", params={"since": "all", **asked})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_filter_finds_counts_and_says_the_most(site: Site) -> None:
    found = ask(site.browser("vera"), q="event.action:request")

    assert found["total"] == len(found["rows"]) == 10  # type: ignore[arg-type]
    assert sum(bar["events"] for bar in found["histogram"]) == 10  # type: ignore[attr-defined]
    assert found["tops"]["user.name"] == [  # type: ignore[index]
        {"value": "u0", "events": 5},
        {"value": "u1", "events": 5},
    ]


def test_sql_finds_what_it_says(site: Site) -> None:
    found = ask(
        site.browser("vera"),
        language="sql",
        q="SELECT source, count(*) AS n FROM events GROUP BY 1",
    )

    assert {"source": "shop", "n": 10} in found["rows"]  # type: ignore[operator]


def test_a_rule_is_asked_before_it_is_kept(site: Site) -> None:
    found = ask(site.browser("vera"), language="sigma", q=RULE)

    assert found["total"] == 10
    assert found["rows"][0]["matched"][0]["field"] == "event.action"  # type: ignore[index]


@pytest.mark.parametrize(("pipelines", "total"), [("[source-names]", 10), ("[none]", 0)])
def test_a_tried_rule_is_read_with_the_pipelines_of_the_site(
    tmp_path: Path, pipelines: str, total: int
) -> None:
    rule = RULE.replace("event.action: request", "Provider_Name: Kernel")
    origin = {"dataset": "shop.access"}
    event = {"@timestamp": NOW.isoformat(), "event": origin, "SourceName": "Kernel"}
    with opened(tmp_path / "home", f"detect: {{pipelines: {pipelines}}}\n") as site:
        site.front.store_lines(Lines.of([json.dumps(event).encode()] * 10, "shop", "auto"))

        found = ask(site.browser("vera"), language="sigma", q=rule)

    assert found["total"] == total


@pytest.mark.parametrize(
    ("language", "text", "says"),
    [
        ("filter", "a AND (", "character"),
        ("sql", "DELETE FROM events", "exactly one SELECT"),
        ("sql", "SELECT * FROM '/etc/passwd'", ""),
        ("sigma", "title: x", "line 1"),
        ("sigma", "a: [", "line"),
    ],
)
def test_what_cannot_be_asked_says_why(still: Site, language: str, text: str, says: str) -> None:
    browser = still.seen_by("vera")
    answer = browser.get("/api/v1/hunt", params={"language": language, "q": text})
    page = browser.get("/hunt", params={"language": language, "q": text})

    assert (answer.status_code, page.status_code) == (400, 400)
    assert says in answer.json()["detail"]
    assert "Nothing was asked" in page.text


def test_a_kept_rule_is_only_watched(site: Site) -> None:
    ada = site.browser("ada")

    kept = ada.post("/hunt/rule", data={"q": RULE})
    again = ada.post("/hunt/rule", data={"q": RULE})

    assert kept.headers["location"] == "/alerts?rule=my-rule"
    assert (again.status_code, "already" in again.text) == (422, True)
    home = site.front.suite.home
    assert (home.content("rules") / "my-rule.yml").read_text().startswith("title: Somebody asked")
    with Session(site.front.suite.database) as reading:
        state = reading.get_one(RuleState, "my-rule")
        assert (state.mode, state.by) == ("monitor", "user:ada")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULE.replace("name: my-rule\n", ""), "name: write"),
        (RULE.replace("my-rule", "qf-api-abuse"), "already"),
        (RULE.replace("condition: asked", "condition: other"), "line"),
    ],
    ids=["no name", "another's name", "mistake"],
)
def test_what_is_no_rule_is_not_kept(site: Site, text: str, says: str) -> None:
    answer = site.browser("ada").post("/api/v1/hunt/rule", json={"text": text})

    assert answer.status_code in {400, 409}
    assert says in answer.json()["detail"]


def test_only_authors_keep_rules(site: Site) -> None:
    assert site.browser("max").post("/hunt/rule", data={"q": RULE}).status_code == 403
