"""Figures in the API, as files, on the page and on the command line are the same figures."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from soc.app.suite import Suite
from soc.cli.main import app
from soc.incidents.kpis.definitions import ALL
from soc.model.value import rfc3339
from soc.store.session import session
from soc.store.tables import DetectorWindow
from soc.web.app import build
from soc.web.front import Front
from soc.web.kpis import table
from tests.conftest import NOON
from tests.incidents.kpis.site import fill

Headers = dict[str, dict[str, str]]
PAGE = {"accept": "text/html"}


@pytest.fixture
def client(suite: Suite):
    fill(suite, 1)
    with session(suite.database) as writing:
        writing.add(DetectorWindow(detector="sigma", state="{}", moved=NOON))
    log = suite.log()
    with TestClient(build(Front(suite, log))) as client:
        yield client
    log.close()


def test_every_figure_is_in_the_api(client: TestClient, tokens: Headers) -> None:
    items = client.get("/api/v1/kpis", headers=tokens["read"]).json()["items"]

    assert [one["kpi"] for one in items] == [kpi.slug for kpi in ALL]
    (lag,) = [one for one in items if one["kpi"] == "event-lag-max"]
    assert lag["thresholds"] == [5.0, 30.0, 60.0]
    assert 60 <= lag["value"] < 90
    assert lag["level"] == "critical"


def test_rows_are_the_same_as_json_and_csv(client: TestClient, tokens: Headers) -> None:
    query = "kpi=api-error-rate&window=7d"
    told = client.get(f"/api/v1/kpis/rows?{query}", headers=tokens["read"]).json()
    file = client.get(f"/api/v1/kpis/rows?{query}&format=csv", headers=tokens["read"])

    assert file.headers["content-type"].startswith("text/csv")
    assert 'filename="api-error-rate.csv"' in file.headers["content-disposition"]
    read = [
        {name: int(value) for name, value in row.items()}
        for row in csv.DictReader(io.StringIO(file.text))
    ]
    assert read == told["items"]
    assert sum(row["errors"] for row in read) > 0


def test_a_cell_that_would_be_a_formula_begins_with_an_apostrophe() -> None:
    assert table([{"wallet": "=1+1", "n": -1}]) == "wallet,n\n'=1+1,-1\n"


@pytest.mark.parametrize(
    ("query", "status"),
    [("rows?kpi=none", 404), ("rows?kpi=mttd&window=x", 400), ("?window=400d", 400), ("rows", 422)],
)
def test_what_cannot_be_measured_is_refused(
    client: TestClient, tokens: Headers, query: str, status: int
) -> None:
    path = query if query.startswith("?") else f"/{query}"

    assert client.get(f"/api/v1/kpis{path}", headers=tokens["read"]).status_code == status


def test_a_reader_is_asked_for(client: TestClient, tokens: Headers) -> None:
    assert client.get("/api/v1/kpis").status_code == 401
    assert client.get("/api/v1/kpis/rows?kpi=mttd", headers=tokens["ingest"]).status_code == 403


def test_the_page_shows_figures_series_and_rules(client: TestClient, tokens: Headers) -> None:
    page = client.get("/kpis", headers={**tokens["read"], **PAGE}).text
    items = client.get("/api/v1/kpis", headers=tokens["read"]).json()["items"]

    assert page.count('class="tile"') == len(ALL)
    assert page.count("<figure") == 3
    assert page.count("<summary>Numbers</summary>") == 3
    assert "style=" not in page
    (precision,) = [one for one in items if one["kpi"] == "precision"]
    for part in precision["parts"]:
        assert f"/alerts?rule={part['rule']}" in page
    (errors,) = [one for one in items if one["kpi"] == "api-error-rate"]
    assert f"{100 * errors['value']:.1f} <span>%" in page
    lines = re.findall(r'class="line" d="([^"]*)"', page)
    assert any(line.startswith("M") for line in lines)


@pytest.mark.parametrize("window", ["24h", "30d", "90d"])
def test_each_window_has_a_page(client: TestClient, tokens: Headers, window: str) -> None:
    page = client.get(f"/kpis?window={window}", headers={**tokens["read"], **PAGE})

    assert page.status_code == 200
    assert f'href="/kpis?window={window}" aria-current="true"' in page.text


def test_without_data_the_page_says_so_and_why(front: Front, tokens: Headers) -> None:
    with TestClient(build(front)) as client:
        page = client.get("/kpis", headers={**tokens["read"], **PAGE}).text

    assert page.count('<p class="fig none">No data</p>') == len(ALL) - 1
    assert "No incident was made in the window." in page
    assert "No detector has looked at any event." in page


def test_the_command_gives_the_same_figures(
    client: TestClient, tokens: Headers, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOC_HOME", str(suite.home.path))

    shown = CliRunner().invoke(app, ["kpis", "--json", "--window", "36500h"])
    words = CliRunner().invoke(app, ["kpis"])

    assert shown.exit_code == 1
    found = json.loads(CliRunner().invoke(app, ["kpis", "--json"]).stdout)
    assert [one["kpi"] for one in found] == [kpi.slug for kpi in ALL]
    assert "No data" in words.stdout or "share" in words.stdout
    assert words.stdout.splitlines()[0].split() == ["kpi", "value", "interval", "n", "level", "why"]


def test_windows_before_and_after_a_moment_are_compared(
    client: TestClient, tokens: Headers
) -> None:
    half = NOON - timedelta(hours=1)
    asked = {"around": half.isoformat(), "window": "1h"}
    told = client.get("/api/v1/kpis/changes", params=asked, headers=tokens["read"]).json()["items"]
    page = client.get(
        "/kpis", params={**asked, "around": "2026-11-23T11:00"}, headers=tokens["read"] | PAGE
    )
    early = client.get(
        "/kpis", params={"around": "2026-11-23T12:00"}, headers=tokens["read"] | PAGE
    )
    wrong = client.get("/kpis?around=noon", headers=tokens["read"] | PAGE)

    assert [one["kpi"] for one in told] == [kpi.slug for kpi in ALL]
    assert {one["before"]["until"] for one in told} == {rfc3339(half)}
    assert "Figures before and after 2026-11-23T11:00" in page.text
    assert "the window after that moment is not over" in early.text
    assert "moment: write a day and time in UTC" in wrong.text


def test_a_moment_without_a_zone_is_refused(client: TestClient, tokens: Headers) -> None:
    told = client.get("/api/v1/kpis/changes?around=2026-11-23T11:00", headers=tokens["read"])

    assert told.status_code == 422
    assert "around" in told.text
