"""What many tests share: real things, made small; and no network beyond this machine."""

import gc
import os
import socket
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings

from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.model.finding import Finding
from soc.model.value import Entity, Severity, bucket_of
from soc.store.session import Database, connect
from tests import stores
from tests.servers import machine
from tests.servers import opensearch as opensearch_server
from tests.servers import postgres as postgres_server
from tests.servers.opensearch import Node
from tests.servers.postgres import Postgres

settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOOPBACK = ("127.", "::1", "localhost")
GARBAGE_AFTER = 50_000


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Gather thousands of tests without looking for garbage, which they are not, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(GARBAGE_AFTER)
        gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail on a skip that is not listed, where STRICT_SKIPS is set: a test not run proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("STRICT_SKIPS") or reporter is None:
        return
    listed = (Path(__file__).parent / "servers" / "unobtainable.txt").read_text().splitlines()
    reasons = {str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])}
    if unlisted := sorted(r for r in reasons if r.removeprefix("Skipped: ") not in listed):
        reporter.write_line(f"skipped and not listed in tests/servers: {unlisted}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True, scope="session")
def loopback_alone() -> Iterator[None]:
    """Refuse every connection that would leave this machine."""
    connect_to = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise PermissionError(f"a test tried to reach {address[0]}")
        connect_to(self, address)  # type: ignore[arg-type]

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]
    yield
    socket.socket.connect = connect_to  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL; its absence is a skip that says so."""
    with machine.obtained(postgres_server.running()) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Node]:
    """A real OpenSearch of one node; its absence is a skip that says so."""
    with machine.obtained(opensearch_server.running()) as node:
        yield node


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOON)


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database with the newest schema, to be copied for each test."""
    postgres.execute("CREATE DATABASE migrated TEMPLATE template0")
    connect(postgres.url("migrated")).dispose()
    return "migrated"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store of its own for each test, on either database."""
    if request.param == "sqlite":
        yield stores.copied(f"sqlite:///{tmp_path}/store.db")
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.fresh(request.getfixturevalue("migrated")) as url:
        yield url


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    engine = connect(store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty installation, its store migrated."""
    return stores.home(tmp_path / "home").path


@pytest.fixture
def suite(
    home: Path, clock: SettableClock, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Suite]:
    monkeypatch.setenv("SOC_STORE__URL", store_url)
    made = Suite(home, clock)
    yield made
    made.database.dispose()


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """A way to make findings about an entity, at noon unless told otherwise."""
    return _finding


def _finding(entity: str = "wallet:0xbad", rule: str = "some-rule", **more: object) -> Finding:
    """Return a finding about *entity*, at noon unless *more* says otherwise."""
    named = Entity.parse(entity)
    at = more.pop("at", NOON)
    assert isinstance(at, datetime)
    given = {
        "rule": rule,
        "rule_digest": "sha256:0",
        "title": f"{entity} did it",
        "severity": Severity.HIGH,
        "entity": named,
        "entities": (named,),
        "bucket": bucket_of(at, timedelta(hours=1)),
        "first": at,
        "last": at,
    }
    return Finding(**{**given, **more})
