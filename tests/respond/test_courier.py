"""Platforms that enforce by themselves are told everything, in order, signed, until they take it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from sqlmodel import Session

from soc.access.signatures import verify
from soc.clock import SettableClock
from soc.errors import NotAuthenticated
from soc.inputs import Hook
from soc.respond import courier, ledger, reconcile
from soc.respond.courier import Courier
from soc.settings import Edges
from soc.store.session import Database, session
from soc.store.tables import Edge, EdgeWebhook, Effect
from tests.respond.effects import enforce

SECRET = "sixteen letters or more"


@dataclass
class Platform:
    """A platform over real HTTP, which keeps what it takes."""

    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def versions(self) -> list[tuple[int, int]]:
        return [(body["after"], body["version"]) for body in self.bodies]


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            made.raw.append(raw)
            made.bodies.append(json.loads(raw))
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(made.answers.pop(0) if made.answers else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def policy(platform: Platform) -> Edges:
    one = {"name": "shop", "url": f"http://127.0.0.1:{platform.port}/rules", "secret": SECRET}
    return Edges.model_validate_json(json.dumps({"webhooks": [one]}))


@pytest.fixture
def tell(database: Database, clock: SettableClock, policy: Edges) -> Courier:
    return Courier(database, clock, policy)


def change(database: Database, clock: SettableClock, name: str) -> None:
    with session(database) as writing:
        enforce(writing, name, clock.now(), subject=f"wallet:{name.lower()}")


def test_every_change_is_told_once_in_order_and_signed(
    database: Database, clock: SettableClock, platform: Platform, tell: Courier
) -> None:
    assert tell.deliver() == 0
    change(database, clock, "EF-1")
    assert tell.deliver() == 1
    change(database, clock, "EF-2")
    with session(database) as writing:
        ledger.lift(writing, "EF-1", "user:rhea", clock.now())
    assert tell.deliver() == 1
    assert tell.deliver() == 0

    assert platform.versions == [(0, 1), (1, 3)]
    assert [rule["effect"] for rule in platform.bodies[1]["rules"]] == ["EF-2"]
    assert platform.bodies[1]["removed"] == ["EF-1"]
    hook = Hook(name="rules", secret=SECRET, source="soc")
    for headers, raw in zip(platform.headers, platform.raw, strict=True):
        assert verify(hook, headers, raw, clock.now())
        with pytest.raises(NotAuthenticated):
            verify(hook, headers, raw + b" ", clock.now())


@pytest.mark.parametrize("answer", [500, 404, 302, 429])
def test_what_is_not_taken_is_sent_again_later_and_later(
    database: Database,
    clock: SettableClock,
    platform: Platform,
    tell: Courier,
    policy: Edges,
    answer: int,
) -> None:
    platform.answers = [answer] * 3
    change(database, clock, "EF-1")

    for seconds in (0, 1, 2):
        clock.moment += timedelta(seconds=seconds)
        assert tell.deliver() == 0
        assert tell.deliver() == 0
    with session(database) as looking:
        (trouble,) = reconcile.standing(looking, policy, clock.now()).troubles
        assert (trouble.rule, trouble.about) == ("soc-edge-unreached", "edge shop")
        assert f"it answered {answer}" in trouble.reason
    change(database, clock, "EF-2")
    clock.moment += timedelta(seconds=4)
    assert tell.deliver() == 1

    assert platform.versions == [(0, 1)] * 3 + [(0, 2)]
    with session(database) as looking:
        assert reconcile.standing(looking, policy, clock.now()).troubles == ()


def test_a_platform_that_is_not_there_keeps_nobody_else_waiting(
    database: Database, clock: SettableClock, platform: Platform, policy: Edges
) -> None:
    dead = policy.webhooks[0].model_copy(update={"name": "a-dead", "url": "http://127.0.0.1:9/"})
    both = policy.model_copy(update={"webhooks": (dead, *policy.webhooks)})
    change(database, clock, "EF-1")

    assert Courier(database, clock, both).deliver() == 1

    with Session(database) as looking:
        state = looking.get_one(EdgeWebhook, "a-dead")
        assert (state.attempts, state.failure) == (1, "ConnectionError")


def test_many_changes_come_in_parts_that_lead_on(
    database: Database, clock: SettableClock, platform: Platform, tell: Courier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(courier, "AT_ONCE", 2)
    for number in range(5):
        change(database, clock, f"EF-{number}")

    assert tell.deliver() == 3

    assert platform.versions == [(0, 2), (2, 4), (4, 5)]
    assert [body["full"] for body in platform.bodies] == [True, False, False]
    told = [rule["effect"] for body in platform.bodies for rule in body["rules"]]
    assert told == [f"EF-{number}" for number in range(5)]


def test_after_a_restored_backup_a_platform_forgets_all_it_knew(
    database: Database, clock: SettableClock, platform: Platform, tell: Courier
) -> None:
    change(database, clock, "EF-1")
    with session(database) as writing:
        writing.add(EdgeWebhook(name="shop", version=9, next_at=clock.now()))

    assert tell.deliver() == 1

    assert (platform.versions, platform.bodies[0]["full"]) == ([(9, 1)], True)


def test_a_platform_counts_as_an_edge_and_shows_that_it_lives(
    database: Database, clock: SettableClock, platform: Platform, tell: Courier
) -> None:
    change(database, clock, "EF-1")
    tell.deliver()
    clock.moment += timedelta(minutes=1)
    tell.deliver()

    with Session(database) as looking:
        assert looking.get_one(Effect, "EF-1").verified is not None
        edge = looking.get_one(Edge, "shop")
        assert (edge.version, edge.drift, edge.reported) == (1, 0, clock.now())
    assert len(platform.bodies) == 1


def test_two_workers_never_tell_a_platform_at_once(
    database: Database, clock: SettableClock, platform: Platform, tell: Courier, policy: Edges
) -> None:
    change(database, clock, "EF-1")
    claimed = tell._next(policy.webhooks[0])

    assert claimed is not None
    assert Courier(database, clock, policy).deliver() == 0
    clock.moment += timedelta(minutes=1)  # the other worker died
    assert Courier(database, clock, policy).deliver() == 1
    with session(database) as writing:
        tell._note(writing, claimed, "too late")
    with Session(database) as looking:
        assert looking.get_one(EdgeWebhook, "shop").attempts == 0
