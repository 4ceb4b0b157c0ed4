"""Rounds and money at risk in the API, on the pages and on the command line say the same."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from soc.app.assessing import Assessing
from soc.app.suite import Suite
from soc.cli.main import app
from soc.funding import book
from soc.incidents.money import at_risk_whole
from soc.store.session import session
from soc.store.tables import Donation, Incident, Project, Round
from soc.web.console.shell import Console
from soc.web.front import Front
from tests.funding.played import RING, give, play

Headers = dict[str, dict[str, str]]
PAGE = {"accept": "text/html"}


@pytest.fixture
def played(front: Front) -> Front:
    play(front.suite.database)
    return front


def test_a_round_shows_its_matching_with_and_without_suspects(
    client: TestClient, tokens: Headers, played: Front
) -> None:
    found = client.get("/api/v1/rounds/r", headers=tokens["read"]).json()

    assert (found["suspects"], found["donors"], found["at_risk"]) == (4, 8, "500")
    assert (found["fraud_tax"], found["is_short"], found["paid"]) == (0.5, True, "1000")
    projects = {p["id"]: (p["counted"], p["left_out"], p["change"]) for p in found["projects"]}
    assert projects == {"good": ("500", "1000", "-500"), "bad": ("500", "0", "500")}
    (cluster,) = found["clusters"]
    assert (cluster["incident"], cluster["wallets"], cluster["amount"]) == ("INC-1", 4, "400")
    assert [link["wallet"] for link in cluster["links"]] == list(RING)


def test_the_page_says_what_the_api_says(
    client: TestClient, tokens: Headers, played: Front
) -> None:
    page = client.get("/rounds/r", headers={**tokens["read"], **PAGE}).text
    listed = client.get("/rounds", headers={**tokens["read"], **PAGE}).text

    assert "50.0 % of the pool" in page
    assert "The good one" in page
    assert "\N{MINUS SIGN}500" in page
    assert "+500" in page
    assert 'href="/incidents/INC-1"' in page
    assert 'role="img"' in page
    assert "0xf3" in page
    assert 'href="/rounds/r"' in listed
    assert "style=" not in page


def test_the_command_says_what_the_api_says(
    client: TestClient, tokens: Headers, played: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOC_HOME", str(played.suite.home.path))
    told = client.get("/api/v1/rounds/r", headers=tokens["read"]).json()

    shown = CliRunner().invoke(app, ["rounds", "show", "r", "--json"])
    words = CliRunner().invoke(app, ["rounds", "show", "r"])
    listed = CliRunner().invoke(app, ["rounds", "list", "--json"])

    assert json.loads(shown.stdout) == told
    assert "fraud tax: 50.0 % of the pool" in words.stdout
    assert [one["id"] for one in json.loads(listed.stdout)] == ["r"]


def test_rounds_are_paged(client: TestClient, tokens: Headers, played: Front) -> None:
    with session(played.suite.database) as writing:
        writing.add_all([Round(id=f"s{n}") for n in range(3)])

    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/v1/rounds?limit=2{cursor}", headers=tokens["read"]).json()
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert seen == ["s2", "s1", "s0", "r"]


def test_a_round_that_is_not_there_is_404(client: TestClient, tokens: Headers) -> None:
    assert client.get("/api/v1/rounds/none", headers=tokens["read"]).status_code == 404
    assert client.get("/rounds/none", headers={**tokens["read"], **PAGE}).status_code == 404


def test_without_rounds_the_page_says_where_they_come_from(
    client: TestClient, tokens: Headers
) -> None:
    page = client.get("/rounds", headers={**tokens["read"], **PAGE}).text

    assert "No round is known" in page


def test_a_round_that_is_too_large_has_no_data_rather_than_nothing(
    client: TestClient, tokens: Headers, played: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MOST_GIFTS", 3)

    found = client.get("/api/v1/rounds/r", headers=tokens["read"]).json()
    page = client.get("/rounds/r", headers={**tokens["read"], **PAGE}).text

    assert (found["at_risk"], found["fraud_tax"]) == (None, None)
    assert found["reason"] == "r has more than 3 gifts: none are matched here"
    assert "No data on matching: r has more than 3 gifts" in page


def test_a_round_without_a_pool_or_projects_is_shown(
    client: TestClient, tokens: Headers, front: Front
) -> None:
    with session(front.suite.database) as writing:
        writing.add(Round(id="empty"))

    page = client.get("/rounds/empty", headers={**tokens["read"], **PAGE}).text

    assert "No data on matching: no pool is known of it" in page
    assert "No project is known" in page


def test_what_names_itself_as_markup_is_shown_as_text(
    client: TestClient, tokens: Headers, played: Front
) -> None:
    with session(played.suite.database) as writing:
        writing.add(Round(id="<i>/&?", name="<b>round", pool="9"))
        writing.add(Project(round="<i>/&?", id="<u>p", name="<s>project"))
        give(writing, "<u>p", "0xf1", 5, round_="<i>/&?")

    listed = client.get("/rounds", headers={**tokens["read"], **PAGE}).text
    page = client.get("/rounds/%3Ci%3E/%26%3F", headers={**tokens["read"], **PAGE})

    assert page.status_code == 200
    assert "<b>round" not in page.text + listed
    assert "<u>p" not in page.text
    assert "<s>project" not in page.text
    assert "&lt;b&gt;round" in page.text


def test_pairs_that_always_agree_move_less_where_they_are_bounded(
    client: TestClient, tokens: Headers, played: Front
) -> None:
    suite = played.suite
    money = suite.settings.incidents.money.model_copy(update={"pair_bound": 1})
    bounded = suite.settings.incidents.model_copy(update={"money": money})
    suite.settings = suite.settings.model_copy(update={"incidents": bounded})

    before = client.get("/api/v1/rounds/r", headers=tokens["read"]).json()
    Assessing(suite).look()
    after = client.get("/api/v1/rounds/r", headers=tokens["read"]).json()
    page = client.get("/rounds/r", headers={**tokens["read"], **PAGE}).text

    # Six pairs on each side, each of less than 2 units: nobody is paid more than its ideal match.
    assert (before["matching"], before["pair_bound"], before["is_short"]) == (
        "pairwise",
        "1",
        False,
    )
    assert (before["at_risk"], before["lost"]) == ("11", "0")
    assert before["clusters"][0]["at_risk"] is None
    assert after["clusters"][0]["at_risk"] == "11"
    assert "pairwise-bounded matching, M = 1" in page


def test_an_incident_shows_what_it_puts_at_risk(
    client: TestClient, tokens: Headers, played: Front
) -> None:
    before = client.get("/api/v1/incidents/INC-1", headers=tokens["read"]).json()["money"]
    Assessing(played.suite).look()
    one = client.get("/api/v1/incidents/INC-1", headers=tokens["read"]).json()
    (listed,) = client.get("/api/v1/incidents", headers=tokens["read"]).json()["items"]

    assert before is None
    assert one["money"]["at_risk"] == listed["money"]["at_risk"] == "500"
    assert one["money"]["projects"][0]["project"] == "bad"
    assert "projects" not in listed["money"]
    assert one["severity"] == "critical"


def panel(suite: Suite, front: Front) -> str:
    """Return the panel as a page that includes it shows it."""
    with session(suite.database) as looking:
        money = at_risk_whole(looking, looking.get_one(Incident, 1))
    console = Console(front)
    source = '{% import "m.html" as m with context %}{% include "_money.html" %}'
    from soc.web.console.words import Times

    return console._templates.from_string(source).render(
        incident={"id": "INC-1", "kind": "security", "money": money},
        at=Times(suite.clock.now()),
    )


def test_the_panel_names_money_round_and_projects(played: Front) -> None:
    Assessing(played.suite).look()

    shown = panel(played.suite, played)

    assert "500 of 1,000" in shown
    assert "50.0 % of the pool" in shown
    assert 'href="/rounds/r"' in shown
    assert "The bad one" in shown
    assert "\N{MINUS SIGN}500" in shown


def test_the_panel_says_why_there_is_no_data(played: Front) -> None:
    unassessed = panel(played.suite, played)
    with session(played.suite.database) as writing:
        for wallet in RING:
            writing.delete(writing.get_one(Donation, f"r/bad/{wallet}"))
    Assessing(played.suite).look()

    assert "No data: not assessed yet" in unassessed
    assert "No data: none of its 4 wallets has given" in panel(played.suite, played)


def test_a_reader_is_asked_for(client: TestClient, played: Front) -> None:
    answers: list[Any] = [client.get(f"/api/v1/rounds{path}") for path in ("", "/r")]

    assert [answer.status_code for answer in answers] == [401, 401]
