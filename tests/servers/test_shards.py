"""Several front doors share a cluster and a store: each event counts once, whoever took it in."""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from soc.app.sharding import LEASE, Shards
from soc.app.suite import Suite
from soc.app.taking import Lines, store_lines
from soc.clock import SettableClock
from soc.errors import LogError
from soc.logs.opensearch.store import OpenSearchLog
from soc.logs.port import OpenLog
from soc.model.shard import first_of, shard_of
from soc.settings import Logs
from soc.store.session import connect, session
from soc.store.tables import Shard
from tests.servers import machine, stores
from tests.servers import postgres as postgres_server
from tests.servers.opensearch import Node
from tests.servers.postgres import Postgres
from tests.web.serving import Served, make_home, serving

pytestmark = [
    pytest.mark.server,
    pytest.mark.xdist_group("opensearch"),
    pytest.mark.timeout(240),
]
SETTINGS = """
detect: {{every: 0.3}}
logs: {{seal_after: 1s}}
opensearch: {{urls: [{cluster}]}}
store: {{url: "{store}"}}
"""
EVENT = {"event": {"dataset": "platform.access", "action": "door-tried"}}
RULE = """
title: A door was tried
id: 0bb8ca9d-49ba-461e-a056-d57b9f9139aa
name: door-tried
status: test
description: Each of them is an alert of its own.
logsource: {product: platform}
detection: {tried: {event.action: door-tried}, condition: tried}
level: low
soc: {owner: "role:security", reviewed: 2026-11-26, entity: wallet.address, response: Look.}
"""


class Site:
    """Homes of one installation, and what is asked of them."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder, self.settings = folder, settings
        self.tokens: dict[str, str] = {}

    def home(self, name: str) -> Path:
        scopes = {} if self.tokens else {"ingest": "ingest", "read": "read"}
        made = make_home(self.folder / name, self.settings, **scopes)
        self.tokens = self.tokens or made
        rules = self.folder / name / "content" / "rules"
        rules.mkdir(parents=True, exist_ok=True)
        (rules / "door-tried.yml").write_text(RULE)
        return self.folder / name

    def send(self, served: Served, *names: str) -> requests.Response:
        """Send an event for each of *names*, whose id is the name."""
        now = datetime.now(UTC).isoformat()
        lines = [
            part
            for name in names
            for part in (
                json.dumps({"create": {"_id": name}}),
                json.dumps({"@timestamp": now, **EVENT, "wallet": {"address": f"0x{name}"}}),
            )
        ]
        return requests.post(
            f"{served.ready[0]}/platform/_bulk",
            data="\n".join([*lines, ""]),
            headers={"Authorization": f"Bearer {self.tokens['ingest']}"},
            timeout=30,
        )

    def seen(self, served: Served) -> list[int]:
        """Return the numbers of the events that a front door finds, by its API."""
        answer = requests.get(
            f"{served.ready[0]}/api/v1/events/search?q=event.action:door-tried&limit=1000",
            headers={"Authorization": f"Bearer {self.tokens['read']}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return sorted(row["seq"] for row in answer.json()["items"])

    def alerts(self, home: Path) -> Counter[str]:
        """Return how many events the alerts about each wallet count."""
        rows = soc(home, "alerts", "list", "--limit", "1000")
        mine = [row for row in rows if row["rule"] == "door-tried"]
        assert len(mine) == len({row["entity"] for row in mine})
        return Counter({row["entity"]: row["count"] for row in mine})


@pytest.fixture
def site(opensearch: Node, postgres: Postgres, tmp_path: Path) -> Iterator[Site]:
    stores.wipe(opensearch)
    with postgres.fresh() as url:
        yield Site(tmp_path, SETTINGS.format(cluster=opensearch.url, store=url))


def soc(home: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "soc.cli.main", *words, "--home", str(home), "--json"]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


@contextmanager
def working(home: Path) -> Iterator[None]:
    """Run ``soc work`` alone."""
    command = [sys.executable, "-m", "soc.cli.main", "work", "--home", str(home)]
    with (home / "work.log").open("a") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def until(asked: Any, wanted: Any, seconds: float = 60) -> None:
    """Wait until *asked* answers *wanted*, and fail with what it answered last."""
    end = time.monotonic() + seconds
    while (found := asked()) != wanted and time.monotonic() < end:
        time.sleep(0.3)
    assert found == wanted


def once(*names: str) -> Counter[str]:
    return Counter({f"wallet:0x{name}": 1 for name in names})


def names(door: str, numbers: range) -> list[str]:
    return [f"{door}{n}" for n in numbers]


@pytest.mark.parametrize("workers", ["of each home", "of neither"])
def test_what_several_front_doors_take_in_is_seen_by_all_and_judged_once(
    site: Site, workers: str
) -> None:
    one, two, third = (site.home(name) for name in ("one", "two", "third"))
    command = "serve" if workers == "of each home" else "front"
    first, second = first_of(0), first_of(1)
    with ExitStack() as stack:
        doors = [
            stack.enter_context(serving(h, "--port", "0", command=command)) for h in (one, two)
        ]
        if command == "front":
            stack.enter_context(working(third))
        for n in range(0, 60, 20):
            assert site.send(doors[0], *names("a", range(n, n + 20))).status_code == 200
            assert site.send(doors[1], *names("b", range(n, n + 20))).status_code == 200

        wanted = [*range(first + 1, first + 61), *range(second + 1, second + 61)]
        for door in doors:
            until(lambda door=door: site.seen(door), wanted)
        until(lambda: site.alerts(one), once(*names("a", range(60)), *names("b", range(60))))
        searched = soc(third, "search", "event.action:door-tried", "--limit", "500")
        stats = soc(third, "sources", "list")
        time.sleep(2)
        assert site.alerts(two) == once(*names("a", range(60)), *names("b", range(60)))

    assert Counter(shard_of(row["seq"]) for row in searched) == {0: 60, 1: 60}
    assert {row["source"]: row["events"] for row in stats}["platform"] == 120
    evidence = [soc(one, "alerts", "show", str(n)) for n in (1, 2)]
    assert all(one["events"] for one in evidence)


def test_a_front_door_that_is_killed_holds_up_nobody_and_loses_nothing(site: Site) -> None:
    one, two = site.home("one"), site.home("two")
    late = names("late", range(30))
    with ExitStack() as stack:
        first = stack.enter_context(serving(one, "--port", "0"))
        second = stack.enter_context(serving(two, "--port", "0"))
        assert site.send(first, *names("early", range(5))).status_code == 200
        until(lambda: len(site.seen(second)), 5)
        assert site.send(first, *late).status_code == 200
        first.kill()

        assert site.send(second, *names("b", range(20))).status_code == 200
        until(lambda: set(once(*names("b", range(20)))) - set(site.alerts(two)), set())

        again = stack.enter_context(serving(one, "--port", "0"))
        assert site.send(again, *late, "new").status_code == 200
        wanted = [*range(1, 37), *range(first_of(1) + 1, first_of(1) + 21)]
        for door in (again, second):
            until(lambda door=door: site.seen(door), wanted)
        every = once(*names("early", range(5)), *late, *names("b", range(20)), "new")
        until(lambda: site.alerts(two), every)


def test_of_a_home_and_its_copy_one_takes_events_at_a_time(site: Site) -> None:
    one = site.home("one")
    with serving(one, "--port", "0", command="front") as first:
        assert site.send(first, "a", "b").status_code == 200
        copy = shutil.copytree(one, site.folder / "copy", ignore=shutil.ignore_patterns("*.sock"))
        with pytest.raises(LogError, match="shard 0 is held by"):
            Suite(copy).log()

        second = Suite(copy)
        with closing(taken_over(second)) as log:
            until(lambda: site.send(first, "c").status_code, 503)
            answer = site.send(first, "c")
            line = json.dumps({"@timestamp": datetime.now(UTC).isoformat(), **EVENT}).encode()
            stored = store_lines(second, log, Lines.of([line], "platform"))
            log.seal()

            assert stored.last == 3
            assert second.reader.upto() == {0: 3}
            assert len(second.reader.scan(0, 10)) == 3
        second.database.dispose()

    assert "shard 0 was taken by" in answer.text


def taken_over(suite: Suite) -> OpenLog:
    """Take the shard of a home that lives, as if it could not renew its lease for a while."""
    for _ in range(9):
        with session(suite.database) as writing:
            row = writing.get_one(Shard, 0)
            row.until = datetime(2001, 1, 1, tzinfo=UTC)
            writing.add(row)
        with suppress(LogError):  # it was renewed just then
            return suite.log()
    raise AssertionError("it was renewed each time")


def test_while_the_store_is_away_events_are_taken_in_and_sent_when_it_is_back(
    opensearch: Node, site: Site
) -> None:
    with machine.obtained(postgres_server.running()) as own, own.fresh() as url:
        site.settings = SETTINGS.format(cluster=opensearch.url, store=url)
        home = site.home("one")
        with serving(home, "--port", "0", command="front") as served:
            assert site.send(served, "a").status_code == 200
            until(lambda: stores.documents(opensearch, "/soc-*"), 1)
            own.stop()
            time.sleep(LEASE.total_seconds())

            assert taken(home, "b", "c") == 2
            time.sleep(3)
            assert stores.documents(opensearch, "/soc-*") == 1
            own.start()
            until(lambda: stores.documents(opensearch, "/soc-*"), 3)
            until(lambda: site.seen(served), [1, 2, 3])


def taken(home: Path, *names_: str) -> int:
    """Send events through the home's socket, which asks the store for no token."""
    events = home / "events.ndjson"
    event = {"@timestamp": datetime.now(UTC).isoformat(), **EVENT}
    lines = [json.dumps({**event, "wallet": {"address": f"0x{name}"}}) for name in names_]
    events.write_text("\n".join([*lines, ""]))
    accepted: int = soc(home, "ingest", str(events))["accepted"]
    return accepted


@contextmanager
def logs(folder: Path, node: Node, clock: SettableClock) -> Iterator[tuple[OpenSearchLog, ...]]:
    """Open two event stores of one installation."""
    database = connect(f"sqlite:///{folder}/store.db")
    shards = Shards(database, clock)
    given = (Logs(), stores.settings(node), clock, shards.take, shards.published)
    with ExitStack() as stack:
        stack.callback(database.dispose)
        made = [OpenSearchLog(folder / name, *given) for name in ("one", "two")]
        for log in made:
            stack.callback(log.close)
        yield tuple(made)


def test_what_is_removed_by_one_home_is_removed_of_all(opensearch: Node, tmp_path: Path) -> None:
    stores.wipe(opensearch)
    clock, day = SettableClock(stores.T0), stores.T0.date()
    with logs(tmp_path, opensearch, clock) as (one, two):
        for log in (one, two):
            stores.put(log, *(stores.event(n, user={"name": f"u{n}"}) for n in range(3)))
        one.seal()
        with pytest.raises(LogError, match="may still send events of that day: 1"):
            one.rewrite("default", day, lambda rows: [True] * len(rows), "asked for")
        clock.moment += timedelta(days=2)
        with pytest.raises(LogError, match="may still send events of that day: 1"):
            one.drop("default", day, "over age")
        two.seal()
        until(lambda: sum(one.reader.upto().values()), 3 + first_of(1) + 3)
        until(lambda: late(one, day), "")

        removed = one.rewrite(
            "default",
            day,
            lambda rows: [name != "u1" for name in rows["user_name"].to_pylist()],
            "r",
        )
        left = {log: stores.found(log) for log in (one, two)}
        until(lambda: late(two, day), "")
        dropped = two.drop("default", day, "over age")

        second = first_of(1)
        assert removed == 2
        assert left[one] == left[two] == [second + 3, 3, second + 1, 1]
        assert dropped == 4
        assert stores.found(one) == stores.found(two) == []


def late(log: OpenSearchLog, day: date) -> str:
    """Return why nothing of *day* may be removed for good yet."""
    try:
        log.rewrite("no such class", day, lambda rows: [True] * len(rows), "a try")
    except LogError as waits:
        return str(waits)
    return ""
