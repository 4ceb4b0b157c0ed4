"""Measure what carrying runs costs; print the table of what must hold and what does.

``python benchmarks/respond.py [--dbos] [--write]``: dbos installs DBOS into a folder of its own and
runs the same five steps with it; write puts the table into docs/benchmarks-respond.md. PostgreSQL
is a real one, started for this and gone afterwards.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
DOCS = HERE.parent / "docs" / "benchmarks-respond.md"
STEPS, RUNS, ROUNDS = 5, 200, 5
WAITING = 10_000
IDLE = 20.0
DBOS = "dbos==3.4.0"


@dataclass
class Line:
    """One line of the table."""

    what: str
    must: str
    found: str
    holds: bool


def book(use: str) -> Any:
    """Return a playbook of five steps that do nothing."""
    from tests.respond.stage import playbook

    given: dict[str, Any] = {"file": "/dev/null", "word": "x"}
    if use == "wallet.rate_limit":
        given = {"wallet": "0x${{ run.id }}", "rate": 1, "burst": 1}
    more = {"ttl": "30d"} if use == "wallet.rate_limit" else {}
    steps = [{"id": f"s{n}", "use": use, "with": given, **more} for n in range(STEPS)]
    return playbook(steps)


def carry(url: str, use: str) -> float:
    """Return the milliseconds of CPU that a step costs, over some runs of five."""
    from soc.clock import SystemClock
    from soc.respond.versions import Wanted, queue
    from soc.store.session import connect, session

    database, clock, steps = connect(url), SystemClock(), book(use)
    engine = _engine(database, clock)
    spent = []
    for round_ in range(ROUNDS):
        with session(database) as writing:
            for number in range(RUNS):
                wanted = Wanted(
                    dedup=f"{use} {round_} {number}", incident=None, offered={"id": "INC-1"},
                    given={}, requested_by="soc",
                )  # fmt: skip
                queue(writing, steps, wanted, clock.now())
        before = time.process_time()
        while engine.work():
            pass
        spent.append((time.process_time() - before) * 1000 / (RUNS * STEPS))
    database.dispose()
    return statistics.median(spent)


def _engine(database: Any, clock: Any) -> Any:
    from soc.respond.engine import Engine
    from soc.respond.hands import LiveHands
    from soc.respond.notifier import Outbox
    from soc.respond.turn import Means
    from soc.settings import Mode, Respond
    from tests.respond.stage import ACTIONS

    means = Means(
        actions=ACTIONS,
        notifier=Outbox(Path(tempfile.gettempdir())),
        playbook=lambda _: None,
        hands=LiveHands(),
    )
    return Engine(database, clock, Respond(mode=Mode.FULL, budget=10**9), means, "bench")


def wait(folder: Path) -> tuple[float, float]:
    """Return the megabytes and the share of a core that ten thousand waiting runs cost more."""
    found = []
    for runs in (0, WAITING):
        home = folder / f"home{runs}"
        command = [sys.executable, "-m", "soc.cli.main"]
        subprocess.run([*command, "init", "--home", str(home)], check=True, capture_output=True)
        _fill(home / "store.db", runs)
        worker = subprocess.Popen([*command, "work", "--home", str(home)], stdin=subprocess.PIPE)
        time.sleep(8)
        before = _used(worker.pid)
        time.sleep(IDLE)
        after = _used(worker.pid)
        worker.terminate()
        worker.communicate()
        found.append((after[1], (after[0] - before[0]) / IDLE))
    return found[1][0] - found[0][0], found[1][1] - found[0][1]


def _fill(path: Path, runs: int) -> None:
    """Put runs into the store that wait for a month."""
    from soc.clock import SystemClock
    from soc.respond.versions import pin
    from soc.store.session import connect, session
    from soc.store.tables import Run

    database, now = connect(f"sqlite:///{path}"), SystemClock().now()
    with session(database) as writing:
        digest = pin(writing, book("test.touch"), now)
        for number in range(runs):
            writing.add(
                Run(
                    dedup=f"w{number}",
                    kind="playbook",
                    playbook="test",
                    digest=digest,
                    state="waiting",
                    requested_by="soc",
                    created=now,
                    wake_at=now + timedelta(days=30),
                )
            )
    database.dispose()


def _used(process: int) -> tuple[float, float]:
    """Return the seconds of CPU and the resident megabytes of a process."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{process}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return ticks, int(resident.split()[1]) / 1024


DBOS_SCRIPT = """\
import sys, time, statistics, logging
from dbos import DBOS
url, runs, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
@DBOS.step()
def nop(n):
    open("/dev/null", "a").close()
    return {"ok": n}
@DBOS.workflow()
def five():
    for n in range(5):
        nop(n)
DBOS.launch()
spent = []
for _ in range(rounds):
    before = time.process_time()
    for _ in range(runs):
        five()
    spent.append((time.process_time() - before) * 1000 / (runs * 5))
print("RESULT", statistics.median(spent))
DBOS.destroy()
"""


def dbos(folder: Path, url: str) -> float:
    """Return the milliseconds of CPU that a step costs with DBOS."""
    python = folder / "dbos" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "dbos")], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", DBOS]
        subprocess.run([*pip, "psycopg[binary]"], check=True)
    script = folder / "bench_dbos.py"
    script.write_text(DBOS_SCRIPT)
    command = [str(python), str(script), url, str(RUNS), str(ROUNDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return float(next(x for x in done.stdout.splitlines() if x.startswith("RESULT")).split()[1])


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, tuple[str, str]]]:
    """Give the URLs of a store, and of one for DBOS, on each database."""
    from tests.servers import postgres

    with postgres.running() as server:
        for name in ("ours", "theirs"):
            server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield {
            "SQLite": (f"sqlite:///{folder}/ours.db", f"sqlite:///{folder}/theirs.db"),
            "PostgreSQL": (server.url("ours"), server.url("theirs")),
        }


def table(folder: Path, *, with_dbos: bool) -> list[Line]:
    """Return every line."""
    lines: list[Line] = []
    musts = {"SQLite": 1.0, "PostgreSQL": 2.0}
    with stores(folder) as urls:
        for name, (ours, theirs) in urls.items():
            most = musts[name]
            found = carry(ours, "test.touch")
            local = carry(ours, "wallet.rate_limit")
            what = f"CPU of a step that reaches outside, {name}"
            lines.append(Line(what, f"≤ {most:g} ms", f"{found:.2f} ms", found <= most))
            what = f"CPU of a step that holds a wallet back, {name}"
            lines.append(Line(what, f"≤ {most:g} ms", f"{local:.2f} ms", local <= most))
            if with_dbos:
                other = dbos(folder, theirs)
                told = f"{other:.2f} ms: {other / found:.1f} times as much"
                lines.append(
                    Line(f"the same with DBOS 3.4, {name}", "≥ 2 times", told, other >= 2 * found)
                )
    megabytes, share = wait(folder)
    told = f"{megabytes:.0f} MB, {share:.2%} of a core"
    holds = megabytes < 50 and share < 0.01
    lines.append(Line("10,000 waiting runs, one worker", "< 50 MB, < 1 % of a core", told, holds))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dbos", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = table(Path(folder), with_dbos=given.dbos)
    rows = [f"| {x.what} | {x.must} | {x.found} | {'yes' if x.holds else 'no'} |" for x in lines]
    text = "\n".join(["| what | must | found | holds |", "| --- | --- | --- | --- |", *rows])
    print(text)
    if given.write:
        DOCS.write_text(HEAD.format(day=f"{datetime.now(UTC):%Y-%m-%d}") + text + "\n")


HEAD = """\
# Benchmarks: carrying runs

Written by `make bench-respond` on a machine of 2 cores that others use too. CPU is that of the
worker's process, the median of five rounds of 200 runs with five steps each; an outside step writes
its intent and its end, each in a transaction. Measured {day}.

"""

if __name__ == "__main__":
    main()
