"""The PostgreSQL that other tests use is a real one, and ends with them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.servers import machine
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.server


def test_what_is_committed_is_there_after_a_crash(postgres: Postgres) -> None:
    with postgres.fresh() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")

        postgres.stop(signal.SIGQUIT)
        postgres.start()

        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]


def test_it_asks_for_the_password(postgres: Postgres) -> None:
    wrong = postgres.url().replace(postgres.password, "guessed")

    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)


def test_a_server_dies_with_the_process_that_started_it() -> None:
    starting = (
        "from pathlib import Path; from tests.servers import machine;"
        "s = machine.start(['sleep', '600'], Path('FOLDER'));"
        "print(s.process.pid, flush=True); import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    with machine.folder("death") as folder:
        command = [sys.executable, "-c", starting.replace("FOLDER", str(folder))]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout

        assert _is_gone(int(said))


def _is_gone(pid: int) -> bool:
    """Return whether the process *pid* ends within some seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
