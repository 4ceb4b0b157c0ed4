"""The file that nginx reads."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from soc.app.enforcing import Enforcing
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.errors import Unreloaded
from soc.respond import ledger, nginx_map
from soc.store.session import Database, session
from soc.store.tables import Edge
from tests.respond.effects import enforce

NAMES = {
    "wallet:0xab": '"wallet:0xab"',
    "wallet:eip155:1:0xab": '"wallet:eip155:1:0xab"',
    "account:ines": '"~^account\\x3aines$"',
    'account:a"; return 200 "': '"~^account\\x3aa\\x22\\x3b\\x20return\\x20200\\x20\\x22$"',
    "account:$host": '"~^account\\x3a\\x24host$"',
    "account:zoë": '"~^account\\x3azo\\xc3\\xab$"',
    "wallet:" + "a" * 200: f'"~^wallet\\x3a{"a" * 200}$"',
}


@pytest.mark.parametrize(("subject", "key"), NAMES.items(), ids=range(len(NAMES)))
def test_no_name_breaks_out_of_its_line(
    database: Database, clock: SettableClock, subject: str, key: str
) -> None:
    with session(database) as writing:
        enforce(writing, "EF-1", clock.now(), subject=subject)

        text, held = nginx_map.of(writing, clock.now())

    end = int((clock.now() + timedelta(hours=1)).timestamp())
    assert held == 1
    assert text.splitlines() == [
        "# Written by Commonwatch, ledger version 1: do not edit.",
        f'{key} "{end} EF-1";',
    ]


def test_it_holds_quarantines_of_wallets_and_accounts_alone_and_the_longest_of_each(
    database: Database, clock: SettableClock
) -> None:
    now = clock.now()
    with session(database) as writing:
        enforce(writing, "EF-1", now, lasts=timedelta(hours=2))
        enforce(writing, "EF-2", now)
        enforce(writing, "EF-3", now, subject="wallet:0xb", kind="rate_limit", rate=1, burst=1)
        enforce(writing, "EF-4", now, subject="ip:192.0.2.0/24")
        enforce(writing, "EF-5", now, subject="wallet:0xc", lasts=timedelta())
        enforce(writing, "EF-6", now, subject="wallet:0xd")
        ledger.lift(writing, "EF-6", "user:rhea", now)

        text, held = nginx_map.of(writing, now)

    assert held == 1
    assert [line for line in text.splitlines() if "EF-" in line] == [
        f'"wallet:0xa" "{int(now.timestamp()) + 7200} EF-1";'
    ]


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(Unreloaded, match="ended with 3: no such map"):
        nginx_map.reload(
            [sys.executable, "-c", "import sys; print('no such map', file=sys.stderr); sys.exit(3)"]
        )
    with pytest.raises(Unreloaded, match="FileNotFoundError"):
        nginx_map.reload(["/nowhere/nginx"])


def test_a_worker_writes_the_map_at_each_change_and_counts_nginx_only_once_it_read_it(
    home: Path,
    clock: SettableClock,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-c", f"import os, sys; sys.exit(not os.path.exists('{ready}'))"]
    monkeypatch.setenv("SOC_STORE__URL", store_url)
    (home / "settings.yml").write_text(
        f"edges: {{nginx: {{file: edge/nginx.map, reload: {command!r}}}}}\n".replace("'[", "[")
    )
    suite = Suite(home, clock)
    made = home / "edge" / "nginx.map"
    enforcing = Enforcing(suite)
    with session(suite.database) as writing:
        enforce(writing, "EF-1", clock.now())

    enforcing.look()
    assert nginx_map.written(made) == 1
    with session(suite.database) as looking:
        assert looking.get(Edge, "nginx") is None

    ready.touch()
    enforcing.look()
    clock.moment += timedelta(seconds=11)
    enforcing.look()
    with session(suite.database) as looking:
        assert looking.get_one(Edge, "nginx").version == 1
    suite.database.dispose()
