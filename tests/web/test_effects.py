"""Effects in the API, on the pages and on the command line; the switch that stops all response."""

import json
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from soc.access import keys
from soc.access.permissions import Role
from soc.cli.main import app
from soc.clock import SettableClock
from soc.respond import stopping
from soc.store.session import session
from soc.store.tables import EntityLabel
from soc.web.front import Front
from tests.respond.effects import enforce
from tests.web.story import user

Headers = dict[str, dict[str, str]]
PAGE = {"accept": "text/html"}


@pytest.fixture
def held(front: Front, clock: SettableClock) -> None:
    with session(front.suite.database) as writing:
        enforce(
            writing, "EF-1-limit-0", clock.now(), kind="rate_limit", rate=6, burst=3, path="limit[0]",
            approvers_json='["rhea", "bo"]',
        )  # fmt: skip
        enforce(
            writing, "EF-2", clock.now(), subject="wallet:0xb", kind="weight",
            details_json='{"weight":0.25}',
        )  # fmt: skip


def report(client: TestClient, tokens: Headers, **more: object) -> None:
    said = {"edge": "shop", "version": 2, "skew_ms": 0, "applied": 1, "failed": 0, **more}
    answer = client.post("/v1/edge/report", json=said, headers=tokens["authz"])
    assert answer.status_code == 204


def test_an_effect_shows_who_agreed_and_whether_it_is_obeyed(
    client: TestClient, tokens: Headers, held: None
) -> None:
    before = client.get("/effects", headers={**tokens["read"], **PAGE}).text
    report(client, tokens)
    after = client.get("/effects", headers={**tokens["read"], **PAGE}).text
    said = client.get("/api/v1/effects", headers=tokens["read"]).json()["items"]

    assert "no edge obeys it yet" in before
    assert "no edge obeys it yet" not in after
    assert "agreed: rhea and bo" in after
    assert "Matching weight 0.25" in after
    (limit,) = [one for one in said if one["id"] == "EF-1-limit-0"]
    assert (limit["approved_by"], limit["step"]) == (["rhea", "bo"], "limit[0]")
    assert limit["receipt"] == "ledger 1; obeyed by shop 2"
    assert [one["parameters"] for one in said] == [{"weight": 0.25}, {"rate": 6, "burst": 3}]


def test_health_names_nobody_and_says_whether_edges_obey(
    client: TestClient, tokens: Headers, held: None, clock: SettableClock
) -> None:
    nothing = client.get("/healthz").json()
    report(client, tokens)
    clock.moment += timedelta(seconds=30)
    live = client.get("/healthz").json()
    clock.moment += timedelta(seconds=61)
    silent = client.get("/healthz").json()

    assert nothing["edges"] == {"status": "ok", "live": 0, "silent": 0, "oldest_s": None}
    assert live["edges"] == {"status": "ok", "live": 1, "silent": 0, "oldest_s": 30.0}
    assert silent["edges"] == {"status": "drift", "live": 0, "silent": 1, "oldest_s": 91.0}
    assert silent["status"] == "ok"


def test_a_person_stops_response_and_every_page_says_so(
    client: TestClient, tokens: Headers, front: Front
) -> None:
    reason = {"reason": "a <b>rule</b> went wild"}
    machine = client.post("/api/v1/response/stop", json=reason, headers=tokens["triage"])
    empty = client.post("/api/v1/response/stop", json={"reason": ""}, headers=tokens["person"])
    stopped = client.post("/api/v1/response/stop", json=reason, headers=tokens["person"])
    again = client.post("/api/v1/response/stop", json=reason, headers=tokens["person"])
    page = client.get("/queue", headers={**tokens["read"], **PAGE}).text
    said = client.get("/api/v1/response", headers=tokens["read"]).json()

    assert [one.status_code for one in (machine, empty, stopped, again)] == [403, 422, 200, 409]
    assert "Response is stopped" in page
    assert "a &lt;b&gt;rule&lt;/b&gt; went wild" in page
    assert said["stop"] == {"by": "user:rhea", "at": "2026-11-23T12:00:00Z", **reason}

    started = client.post(
        "/response/start",
        data={"reason": "fixed"},
        headers=tokens["person"],
        follow_redirects=False,
    )

    assert started.status_code == 303
    assert "Response is stopped" not in client.get("/queue", headers=tokens["read"]).text


def test_the_switch_of_the_page_wants_a_person_and_a_reason(
    client: TestClient, tokens: Headers, front: Front
) -> None:
    silent = client.post("/response/stop", data={"reason": " "}, headers=tokens["person"])
    reader = client.post("/response/stop", data={"reason": "x"}, headers=tokens["read"])

    assert (silent.status_code, reader.status_code) == (422, 403)
    with session(front.suite.database) as looking:
        assert stopping.stopped(looking) is None


def test_an_incident_shows_the_labels_of_whom_it_names(
    client: TestClient, tokens: Headers, front: Front, finding: Any, clock: SettableClock
) -> None:
    from soc.incidents.record import record
    from soc.triage import Incidents

    with session(front.suite.database) as writing:
        record(writing, [finding()], {}, clock.now(), Incidents())
        writing.add(EntityLabel(entity="wallet:0xbad", label="mixer", by="p", at=clock.now()))

    said = client.get("/api/v1/incidents/INC-1", headers=tokens["read"]).json()
    page = client.get("/incidents/INC-1", headers={**tokens["read"], **PAGE}).text

    assert said["labels"] == {"wallet:0xbad": ["mixer"]}
    assert "mixer" in page


@pytest.fixture
def run(front: Front, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A way to call commands on the home as a responder."""
    now = front.suite.clock.now()
    with session(front.suite.database) as writing:
        writing.add(user("ines", {Role.RESPONDER}))
        token = keys.create_token(writing, "cli", "respond", "ines", now)
    monkeypatch.setenv("SOC_TOKEN", token)

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, [*words, "--home", str(front.suite.home.path)])

    return run


def test_reconcile_says_what_holds_and_fails_where_it_does_not(
    client: TestClient, tokens: Headers, held: None, run: Any
) -> None:
    report(client, tokens)
    answer = run("effects", "reconcile", "--json")
    lines = run("effects", "reconcile")

    said = json.loads(answer.stdout)
    # The commands' clock is the real one, so what was said at the test's noon is old.
    assert [edge["name"] for edge in said["edges"]] == ["shop"]
    assert {effect["id"] for effect in said["effects"]} == {"EF-1-limit-0", "EF-2"}
    assert {one["rule"] for one in said["troubles"]} <= {"soc-edge-silent", "soc-edge-expiry"}
    assert answer.exit_code == lines.exit_code == bool(said["troubles"])
    assert "ledger at version 2" in lines.stdout


def test_reconcile_of_an_edge_that_fails_exits_with_1(
    client: TestClient, tokens: Headers, held: None, run: Any
) -> None:
    report(client, tokens, failed=1)

    answer = run("effects", "reconcile")

    assert answer.exit_code == 1
    assert "soc-edge-" in answer.stdout


def test_response_is_stopped_and_started_from_the_command_line(run: Any, front: Front) -> None:
    assert run("effects", "stop", "--reason", "drill").stdout == "response is stopped\n"
    with session(front.suite.database) as looking:
        assert getattr(stopping.stopped(looking), "by", "") == "user:ines"
    assert run("effects", "start", "--reason", "over").stdout == "response is running\n"


def test_the_owner_of_the_home_alone_may_not_stop_response(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOC_TOKEN")

    assert run("effects", "stop", "--reason", "x").exit_code != 0
