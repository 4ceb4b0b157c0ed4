"""An installation's store moves to another database and back, whole, or not at all."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from soc.app.home import Home
from soc.app.presence import at_rest, at_work
from soc.app.suite import Suite
from soc.cli import main
from soc.errors import HomeError
from soc.store import transfer
from soc.store.engine import engine_of
from soc.store.session import session
from soc.store.tables import Round
from tests import stores
from tests.servers.postgres import Postgres
from tests.web.story import opened

Soc = Callable[..., tuple[int, str, str]]


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A home in which something happened."""
    with opened(tmp_path / "story"):
        pass
    return tmp_path / "story"


@pytest.fixture
def soc(
    story: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Soc:
    monkeypatch.delenv("SOC_TOKEN", raising=False)

    def soc(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["soc", *words, "--home", str(story)])
        code = 0
        try:
            main.run()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return soc


def held(url: str) -> tuple[transfer.Held, ...]:
    database = engine_of(url)
    try:
        return transfer.held(database)
    finally:
        database.dispose()


def named(tables: tuple[transfer.Held, ...]) -> list[transfer.Held]:
    return sorted(tables, key=lambda one: one.table)


def test_a_story_moves_there_and_back(
    soc: Soc, story: Path, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = soc("migrate", "store", "--to", store_url, "--json")
    there = json.loads(out)
    before = held(Home(story).database)

    assert code == 0
    assert (
        [transfer.Held(**one) for one in there["tables"]] == named(before) == named(held(store_url))
    )
    assert sum(one.rows for one in before) > 30

    monkeypatch.setenv("SOC_STORE__URL", store_url)
    _, incident, _ = soc("incidents", "show", "INC-1", "--json")
    back = f"sqlite:///{tmp_path}/back.db"
    assert soc("migrate", "store", "--to", back)[0] == 0
    assert held(back) == held(store_url)
    monkeypatch.setenv("SOC_STORE__URL", back)
    assert soc("incidents", "show", "INC-1", "--json")[1] == incident
    assert soc("audit", "verify")[0] == 0


def test_the_url_may_come_where_nobody_sees_it_and_is_shown_without_password(
    soc: Soc, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{store_url}\n"))

    code, out, err = soc("migrate", "store", "--to", "-")

    secret = engine_of(store_url).url.password
    assert code == 0
    assert "the same in both" in out
    assert secret is None or str(secret) not in out + err


def test_what_is_served_or_worked_on_is_not_moved(soc: Soc, story: Path, tmp_path: Path) -> None:
    with at_work(Home(story)), at_work(Home(story)):
        code, out, err = soc("migrate", "store", "--to", f"sqlite:///{tmp_path}/new.db")

    assert (code, out) == (1, "")
    assert "stop `soc serve` and `soc work`" in err
    assert not (tmp_path / "new.db").exists()


@pytest.mark.server
def test_a_store_that_another_machine_works_on_is_not_moved(
    soc: Soc, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.fresh() as url:
        monkeypatch.setenv("SOC_STORE__URL", url)
        with psycopg.connect(url, application_name="soc elsewhere 1"):
            code, out, err = soc("migrate", "store", "--to", f"sqlite:///{tmp_path}/new.db")

    assert (code, out) == (1, "")
    assert "has 1 more connections of the suite: stop it" in err


def test_what_is_moved_is_not_served(home: Path) -> None:
    with at_rest(Home(home)), pytest.raises(HomeError, match="is being moved"), at_work(Home(home)):
        pytest.fail("it was")


@pytest.mark.parametrize("command", ["front", "work"])
def test_the_suites_processes_are_at_work(command: str, home: Path) -> None:
    run = [sys.executable, "-m", "soc.cli.main", command, "--home", str(home)]

    with at_rest(Home(home)):  # its standard input stays open: it is what ties a child to us
        child = subprocess.Popen(run, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        code = child.wait(60)

    with child:
        assert code
        assert child.stderr is not None
        assert "is being moved" in child.stderr.read()


def test_a_store_that_holds_rows_is_left_alone(soc: Soc, store_url: str, tmp_path: Path) -> None:
    other = Suite(stores.home(tmp_path / "other").path)
    with session(other.database) as writing:
        writing.add(Round(id="mine"))

    code, _, err = soc("migrate", "store", "--to", other.home.database)

    other.database.dispose()
    assert code == 1
    assert "is not empty: funding_round has rows" in err
    assert [one for one in held(other.home.database) if one.rows] == [
        one for one in held(other.home.database) if one.table == "funding_round"
    ]


@pytest.mark.parametrize("to", ["mysql://me:Tr0ub4dor-3@h/d", "Tr0ub4dor-3", "postgresql://h", ""])
def test_a_url_of_something_else_is_refused_and_not_repeated(soc: Soc, to: str) -> None:
    code, out, err = soc("migrate", "store", "--to", to)

    assert (code, out) == (1, "")
    assert "write sqlite:///FILE or postgresql://" in err
    assert "Tr0ub4dor" not in err
    assert "Traceback" not in err


def test_the_place_where_it_is_already_is_refused(soc: Soc, story: Path) -> None:
    code, _, err = soc("migrate", "store", "--to", Home(story).database)

    assert code == 1
    assert "this is where the store is already" in err
