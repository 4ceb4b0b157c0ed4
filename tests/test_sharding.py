"""A front door on a cluster writes as long as its shard is its own, and no longer."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from soc.access import keys
from soc.app.standing import standing
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import LogError
from soc.logs.opensearch.shipped import Place, Shipped
from soc.logs.port import OpenLog
from soc.model.event import Row, to_table
from soc.model.shard import first_of
from soc.store.session import session
from soc.store.tables import Shard
from soc.web.app import build
from soc.web.front import Front

AWAY = "opensearch: {urls: [http://127.0.0.1:9]}\n"
EVENT = '{"@timestamp": "2026-11-23T12:00:00Z"}'
Opened = Callable[..., tuple[Suite, OpenLog]]


@pytest.fixture
def opened(
    home: Path, store_url: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opened]:
    """Open the event store of a home of this installation, whose cluster is away."""
    monkeypatch.setenv("SOC_STORE__URL", store_url)
    (home / "settings.yml").write_text(AWAY)
    made: list[tuple[Suite, OpenLog]] = []

    def open_(path: Path = home) -> tuple[Suite, OpenLog]:
        suite = Suite(path, clock)
        try:
            made.append((suite, suite.log()))
        except LogError:
            suite.database.dispose()
            raise
        return made[-1]

    yield open_
    for suite, log in made:
        log.close()
        suite.database.dispose()


def put(log: OpenLog, clock: SettableClock) -> int | None:
    row = Row(clock.now(), EVENT, "ecs")
    return log.append(to_table([row], "src", clock.now(), ["default"])).last


def let_end(suite: Suite, shard: int) -> None:
    """Let the lease of *shard* be over."""
    with session(suite.database) as writing:
        row = writing.get_one(Shard, shard)
        row.until = datetime(2001, 1, 1, tzinfo=UTC)
        writing.add(row)


def further(home: Path, name: str) -> Path:
    """Return another home with the same settings, that has taken in nothing yet."""
    shutil.copytree(home, home.parent / name, ignore=shutil.ignore_patterns("events"))
    return home.parent / name


def test_each_home_of_an_installation_gives_numbers_of_its_own(
    opened: Opened, home: Path, clock: SettableClock
) -> None:
    second = further(home, "second")

    numbers = [put(opened(path)[1], clock) for path in (home, second)]

    assert numbers == [1, first_of(1) + 1]
    assert [Place(path / "events").shard() for path in (home, second)] == [0, 1]


def test_a_home_keeps_its_shard_however_often_it_starts(
    opened: Opened, home: Path, clock: SettableClock
) -> None:
    opened(further(home, "first"))
    _, log = opened()
    put(log, clock)
    log.close()

    _, log = opened()

    assert put(log, clock) == first_of(1) + 2


def test_a_start_that_fails_lets_the_shard_go(
    opened: Opened, home: Path, clock: SettableClock
) -> None:
    _, log = opened()
    put(log, clock)
    put(log, clock)
    log.close()
    (file,) = (home / "events" / "wal").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:20] + b"\xff" + whole[21:])
    with pytest.raises(LogError, match="is damaged"):
        opened()
    file.write_bytes(whole)

    assert put(opened()[1], clock) == 3


def test_a_copy_of_a_home_is_refused_while_the_first_one_lives(
    opened: Opened, home: Path, clock: SettableClock
) -> None:
    _, log = opened()
    put(log, clock)
    copy = shutil.copytree(home, home.parent / "copy")

    with pytest.raises(LogError, match=r"shard 0 is held by .*:\d+ until .*copy of it; end that"):
        opened(copy)

    assert put(log, clock) == 2


def test_a_front_door_that_lost_its_shard_takes_no_events_and_says_why(
    opened: Opened, home: Path, clock: SettableClock
) -> None:
    suite, log = opened()
    put(log, clock)
    with session(suite.database) as writing:
        token = keys.create_token(writing, "in", "ingest", None, clock.now())
    headers = {"Authorization": f"Bearer {token}"}
    let_end(suite, 0)
    # Between two renewals another one may take it, if this one is away.
    other = _until_taken(opened, shutil.copytree(home, home.parent / "copy"), suite)
    end = time.monotonic() + 10
    while not log.problem and time.monotonic() < end:
        time.sleep(0.1)

    with TestClient(build(Front(suite, log))) as client:
        bulk = client.post(
            "/s/_bulk", content=b'{"create":{}}\n' + EVENT.encode() + b"\n", headers=headers
        )
        lines = client.post("/api/v1/ingest?source=s", content=EVENT.encode(), headers=headers)
        ready = client.get("/readyz").json()

    assert (bulk.status_code, lines.status_code) == (503, 503)
    assert "was taken by" in lines.json()["reason"]
    assert ready["takes_events"] is False
    assert put(other, clock) == 2


def _until_taken(opened: Opened, copy: Path, suite: Suite) -> OpenLog:
    """Take the shard for *copy*; the renewal of the first one may come between."""
    for _ in range(5):
        try:
            return opened(copy)[1]
        except LogError:
            let_end(suite, 0)
    raise AssertionError("it was renewed each time")


def test_what_was_acknowledged_is_kept_while_the_cluster_is_away(
    opened: Opened, clock: SettableClock
) -> None:
    _, log = opened()
    put(log, clock)

    with pytest.raises(LogError, match="cannot be reached"):
        log.seal()

    assert log.scan(0, 10).column("seq") == [1]
    assert log.reader.upto() == {0: 1}


@pytest.mark.parametrize("asked", [3, None])
def test_a_home_of_an_earlier_version_goes_on_in_the_first_shard_or_not_at_all(
    opened: Opened, home: Path, clock: SettableClock, asked: int | None
) -> None:
    opened(further(home, "another"))[1].close()
    (home / "settings.yml").write_text(
        f"opensearch: {{urls: [http://127.0.0.1:9], shard: {asked or 'null'}}}\n"
    )
    (home / "events").mkdir()
    Shipped(home / "events").move(17)
    said = "shard 0 belongs to another home" if asked is None else "is 3, but this home has events"

    with pytest.raises(LogError, match=said):
        opened()


def test_a_home_that_only_works_reads_what_others_published(
    opened: Opened, home: Path, clock: SettableClock
) -> None:
    suite, log = opened()
    put(log, clock)
    worker = Suite(further(home, "worker"), clock)

    assert worker.stored is not None
    assert worker.reader.upto() == {0: 0}
    assert worker.reader.scan(0, 10).column("seq") == []
    assert not worker.reader.sees([1])
    assert suite.reader.sees([1])
    worker.database.dispose()


def test_a_home_that_ended_with_what_it_had_not_sent_is_told_with_what_to_do(
    opened: Opened, home: Path
) -> None:
    suite, log = opened()
    opened(further(home, "second"))
    assert [one["holds_back"] for one in standing(suite, log)["shards"]] == [False, False]
    let_end(suite, 1)

    (trouble,) = [one for one in standing(suite, log)["troubles"] if one["about"] == "shard 1"]

    assert "did not send all" in trouble["what"]
    assert trouble["remedy"].startswith("start a front door at its home again")
