"""A token sends as its source, within its limits; what is refused is told, and so is silence."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from soc.access import accounts, keys
from soc.access.permissions import Role
from soc.app.silence import Silence
from soc.app.sourcing import listed
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import Illegal, SettingsError
from soc.settings import read
from soc.store.session import session
from soc.store.tables import Alert, SourceState
from soc.web.app import build
from soc.web.front import Front

T = "2026-11-23T12:00:00Z"
SETTINGS = """
inputs:
  silent_after: 1h
  sources:
    - {name: quick, rate: 5}
    - {name: daily, daily: 3}
    - {name: platform}
    - {name: rare, silent_after: 7d}
"""
Post = Callable[..., int]


@pytest.fixture
def suite(home: Path, clock: SettableClock) -> Iterator[Suite]:
    (home / "settings.yml").write_text(SETTINGS)
    made = Suite(home, clock)
    yield made
    made.database.dispose()


@pytest.fixture
def bound(suite: Suite) -> dict[str, str]:
    """The header of a token that sends as ``platform`` alone."""
    with session(suite.database) as writing:
        secret = keys.create_token(writing, "p", "ingest", None, suite.clock.now(), "platform")
    return {"Authorization": f"Bearer {secret}"}


def pairs(count: int) -> str:
    return f'{{"create":{{}}}}\n{{"@timestamp":"{T}"}}\n' * count


def lines(count: int) -> str:
    return f'{{"@timestamp":"{T}"}}\n' * count


def alerts(suite: Suite) -> list[tuple[str, str]]:
    with session(suite.database) as looking:
        return sorted((row.rule, row.entity) for row in looking.exec(select(Alert)))


def sources(front: Front) -> list[str]:
    return list(front.log.reader.scan(0, 100).column("source"))


def test_what_a_bound_token_sends_goes_under_its_source(
    client: TestClient, front: Front, bound: dict[str, str]
) -> None:
    body = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}'

    statuses = [
        client.post("/other/_bulk", content=pairs(1), headers=bound).status_code,
        client.post("/v1/logs", content=body, headers={**bound, "Content-Type": "application/json"}).status_code,
        client.post("/api/v1/ingest", content=lines(1), headers=bound).status_code,
        client.post("/api/v1/ingest?source=platform", content=lines(1), headers=bound).status_code,
    ]  # fmt: skip

    assert statuses == [200] * 4
    assert sources(front) == ["platform"] * 4


@pytest.mark.parametrize("path", ["/api/v1/ingest?source=other", "/api/v1/rejects/replay"])
def test_a_bound_token_does_nothing_for_others(
    client: TestClient, bound: dict[str, str], path: str
) -> None:
    answer = client.post(path, content=lines(1), headers=bound)

    assert answer.status_code == 403
    assert "platform" in answer.json()["reason"]


@pytest.mark.parametrize(("scope", "user"), [("read", None), ("ingest", "ines")])
def test_only_machines_that_send_are_bound(suite: Suite, scope: str, user: str | None) -> None:
    now = suite.clock.now()
    with session(suite.database) as writing:
        accounts.add(writing, "ines", frozenset({Role.VIEWER}), now)
        with pytest.raises(Illegal, match="scope ingest"):
            keys.create_token(writing, "t", scope, user, now, "platform")


def test_beyond_its_rate_a_source_is_refused_until_it_has_waited(
    client: TestClient, front: Front, tokens: dict[str, dict[str, str]]
) -> None:
    first = client.post("/quick/_bulk", content=pairs(50), headers=tokens["ingest"])
    second = client.post("/quick/_bulk", content=pairs(1), headers=tokens["ingest"])
    other = client.post("/www/_bulk", content=pairs(1), headers=tokens["ingest"])

    assert (first.status_code, second.status_code, other.status_code) == (200, 429, 200)
    assert int(second.headers["retry-after"]) in {8, 9}
    assert "5 events a second" in second.json()["error"]["reason"]
    assert second.headers["x-elastic-product"] == "Elasticsearch"


def test_beyond_its_day_a_source_is_refused_until_midnight(
    client: TestClient, front: Front, clock: SettableClock, tokens: dict[str, dict[str, str]]
) -> None:
    def post(count: int) -> tuple[int, str | None]:
        answer = client.post("/daily/_bulk", content=pairs(count), headers=tokens["ingest"])
        return answer.status_code, answer.headers.get("retry-after")

    assert [post(3), post(1)] == [(200, None), (429, str(12 * 3600))]
    clock.moment += timedelta(hours=12)
    assert post(1) == (200, None)


def test_what_is_refused_is_told_once_as_event_and_finding(
    client: TestClient, front: Front, suite: Suite, tokens: dict[str, dict[str, str]]
) -> None:
    for _ in range(3):
        client.post("/daily/_bulk", content=pairs(4), headers=tokens["ingest"])
    front.sources.flush()

    assert sources(front) == ["soc"]
    assert front.log.reader.scan(0, 9).column("dataset") == ["soc.inputs"]
    assert alerts(suite) == [("soc-source-limited", "source:daily")]
    (row,) = [row for row in listed(suite) if row["source"] == "daily"]
    assert (row["events"], row["refused"]) == (0, 12)


def test_the_day_and_the_last_sight_survive_a_restart(
    client: TestClient, front: Front, suite: Suite, tokens: dict[str, dict[str, str]]
) -> None:
    client.post("/daily/_bulk", content=pairs(3), headers=tokens["ingest"])
    front.sources.flush()

    again = Front(suite, front.log)

    with TestClient(build(again)) as other:
        answer = other.post("/daily/_bulk", content=pairs(1), headers=tokens["ingest"])
    assert answer.status_code == 429


def test_a_request_writes_nothing_of_its_source(
    client: TestClient, front: Front, suite: Suite, tokens: dict[str, dict[str, str]]
) -> None:
    client.post("/www/_bulk", content=pairs(3), headers=tokens["ingest"])
    with session(suite.database) as looking:
        before = looking.exec(select(SourceState)).all()

    front.sources.flush()

    with session(suite.database) as looking:
        (state,) = looking.exec(select(SourceState))
    assert before == []
    assert (state.name, state.last_seen, state.day_events) == ("www", suite.clock.now(), 3)


def test_an_expected_source_that_falls_silent_is_a_finding_once(
    client: TestClient,
    front: Front,
    suite: Suite,
    clock: SettableClock,
    tokens: dict[str, dict[str, str]],
) -> None:
    silence = Silence(suite)
    for name in ("platform", "rare", "daily", "quick", "unknown"):
        client.post(f"/{name}/_bulk", content=pairs(1), headers=tokens["ingest"])
    front.sources.flush()
    clock.moment += timedelta(minutes=50)
    for name in ("daily", "quick"):
        client.post(f"/{name}/_bulk", content=pairs(1), headers=tokens["ingest"])
    front.sources.flush()
    early = silence.look()
    clock.moment += timedelta(minutes=20)

    told = [silence.look(), silence.look()]

    assert (early, told) == ([], [["platform"], []])
    assert alerts(suite) == [("soc-source-silent", "source:platform")]
    assert [row["source"] for row in listed(suite) if row["silent"]] == ["platform"]


def test_a_source_that_never_sent_is_silent_as_long_as_somebody_looks(
    suite: Suite, clock: SettableClock
) -> None:
    silence = Silence(suite)
    clock.moment += timedelta(hours=2)

    assert silence.look() == ["daily", "platform", "quick"]


def test_what_was_taken_in_without_the_front_door_counts(
    front: Front, suite: Suite, clock: SettableClock
) -> None:
    silence = Silence(suite)
    clock.moment += timedelta(hours=2)
    rows = suite.intake.read([(f'{{"@timestamp":"{T}"}}'.encode(), None)])
    front.store([("platform", rows[0])])

    assert silence.look() == ["daily", "quick"]


def test_a_source_is_expected_once(tmp_path: Path) -> None:
    path = tmp_path / "settings.yml"
    path.write_text("inputs: {sources: [{name: a}, {name: a}]}\n")

    with pytest.raises(SettingsError, match="source 'a' is here twice"):
        read(path, {})
