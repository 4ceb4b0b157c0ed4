"""A PostgreSQL that stops, comes back, or refuses: nothing is half done, and no password is told."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import text
from sqlmodel import Session, func, select

from soc.app import home as homes
from soc.app.reporting import flat
from soc.app.suite import Suite
from soc.app.work import work
from soc.errors import SettingsError, StoreError
from soc.settings import read
from soc.store.engine import RESTED
from soc.store.session import Database, connect, reading, session
from soc.store.tables import AuditRow, Round
from tests.servers import machine
from tests.servers import postgres as postgres_server
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server that these tests may stop."""
    with machine.obtained(postgres_server.running()) as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    with server.fresh() as url:
        yield url


@pytest.fixture
def own(url: str) -> Iterator[Database]:
    database = connect(url)
    yield database
    database.dispose()


def rounds(database: Database) -> list[str]:
    with reading(database) as looking:
        return sorted(looking.exec(select(Round.id)))


def test_a_connection_that_was_ended_while_it_rested_is_replaced_unnoticed(
    own: Database, server: Postgres
) -> None:
    assert rounds(own) == []
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'soc %'"
    )
    time.sleep(RESTED)

    assert rounds(own) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["shut down", "crashed"])
def test_a_change_in_a_server_that_stops_is_told_and_not_half_done(
    own: Database, server: Postgres, how: signal.Signals
) -> None:
    def write_while_it_stops() -> None:
        with session(own) as writing:
            writing.add(Round(id="first"))
            writing.flush()
            server.stop(how)
            writing.add(Round(id="second"))

    with pytest.raises(StoreError, match="nothing of this change was kept"):
        write_while_it_stops()
    with pytest.raises(StoreError, match="store postgresql://"):
        rounds(own)

    server.start()

    assert rounds(own) == []


def test_the_next_change_after_a_restart_finds_the_way_back(
    own: Database, server: Postgres
) -> None:
    with session(own) as writing:
        writing.add(Round(id="before"))

    server.stop()
    server.start()
    with session(own) as writing:
        writing.add(Round(id="after"))

    assert rounds(own) == ["after", "before"]


def test_a_look_sees_one_moment_and_keeps_nothing(own: Database) -> None:
    with reading(own) as looking:
        before = looking.exec(select(func.count()).select_from(Round)).one()
        with session(own) as writing:
            writing.add(Round(id="meanwhile"))
        after = looking.exec(select(func.count()).select_from(Round)).one()
        looking.add(Round(id="only looked at"))
        looking.flush()

    assert (before, after) == (0, 0)
    assert rounds(own) == ["meanwhile"]


def test_a_worker_goes_on_after_the_server_was_away(
    server: Postgres, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOC_STORE__URL", url)
    suite, stop = Suite(homes.create(tmp_path / "home").path), Event()
    monkeypatch.setattr(logging, "lastResort", None)  # a job that failed is told on stderr
    worker = Thread(target=work, args=(suite, stop))
    worker.start()
    try:
        _numbered(suite.database, "before")

        server.stop()
        time.sleep(3)
        server.start()

        _numbered(suite.database, "after")
    finally:
        stop.set()
        worker.join()
        suite.database.dispose()


def _numbered(database: Database, what: str) -> None:
    """Write an act and wait until a worker gave it its number."""
    now = text(
        "INSERT INTO audit (at, actor, action, object, outcome, record, hash) VALUES (now(), 'a', 'b', :o, 'done', '{}', '')"
    )
    with session(database) as writing:
        writing.connection().execute(now, {"o": what})
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with Session(database) as looking:
            if looking.exec(select(AuditRow.leaf).where(AuditRow.object == what)).one() is not None:
                return
        time.sleep(0.1)
    raise AssertionError(f"nobody numbered the act {what}")


def soc(home: Path, url: str, *words: str) -> tuple[int, str]:
    """Run a command on a store at *url*; return its exit code, and all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "soc.cli.main", *words, "--home", str(home)],
        env={**os.environ, "SOC_STORE__URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("wrong", ["password", "port", "name"])
def test_what_is_wrong_is_told_without_the_password(
    server: Postgres, url: str, home: Path, wrong: str
) -> None:
    secret = "Tr0ub4dor-3" if wrong == "password" else server.password
    given = {
        "password": url.replace(server.password, secret),
        "port": url.replace(str(server.port), str(machine.free_port())),
        "name": f"{url}_none",
    }

    code, said = soc(home, given[wrong], "check")

    assert code == 1
    assert said.startswith("the store postgresql://postgres:***@127.0.0.1:")
    assert secret not in said
    assert "Traceback" not in said


def test_the_password_is_nowhere_in_what_is_shown(
    server: Postgres, url: str, home: Path, tmp_path: Path
) -> None:
    (home / "settings.yml").write_text(f"store:\n  url: {url}\n")
    settings = read(home / "settings.yml")
    report = tmp_path / "report"

    shown = [repr(settings), str(settings), str(flat(settings)), settings.model_dump_json()]
    for words in (("check",), ("check", "--json"), ("threats", "report", "--out", str(report))):
        code, said = soc(home, url, *words)
        assert code == 0, said
        shown.append(said)
    shown += [path.read_text() for path in report.iterdir()]

    assert [text for text in shown if server.password in text] == []


@pytest.mark.parametrize(
    "given", ["mysql://me:Tr0ub4dor-3@h/d", "'Tr0ub4dor-3'", "{a: Tr0ub4dor-3}"]
)
def test_a_url_of_something_else_is_told_by_place_and_not_repeated(
    tmp_path: Path, given: str
) -> None:
    file = tmp_path / "settings.yml"
    file.write_text(f"store:\n  url: {given}\n")

    with pytest.raises(SettingsError, match=r"settings.yml:2: ") as told:
        read(file)

    assert "Tr0ub4dor" not in f"{told.value}{told.value.__cause__}"


def test_a_store_of_a_newer_version_is_left_alone(own: Database, url: str) -> None:
    with session(own) as writing:
        writing.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError, match="revision 9999, newer than"):
        connect(url)
