"""Kill supervisor, front door and workers at random moments, and see that nothing is lost.

``python tests/trials/kills.py --kills 60 --gap 8 --rounds`` is ``make trial-main``: demo rounds are
played one after another for as long as the kills take. Without ``--rounds`` a load of its own is
the only one. Everything is done and checked through commands, HTTP and files.
"""

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

PYTHON = sys.executable
READ = "coalesce(json_extract(marks, '$.\"0\"'), 0)"
SETTINGS = """\
logs: {seal_rows: 2000, seal_after: 20s}
detect:
  every: 0.5
  lateness: 2s
  bucket: 12s
  tuning:
    qf-api-abuse: {timespan: 10s, bucket: 60s}
    qf-admin-bruteforce: {timespan: 6s, bucket: 60s}
    qf-indexer-lag: {timespan: 3s, bucket: 60s}
    qf-unmatched-donation: {timespan: 6s, bucket: 60s}
respond: {mode: contain, lease: 3s, approval_expires: 20s, ttl: {qf-api-abuse/limit: 15s}}
"""
FLOOD = 240


def soc(home: Path, *command: str) -> str:
    run = [PYTHON, "-m", "soc.cli.main", *command, "--home", str(home)]
    return subprocess.run(run, capture_output=True, text=True, check=True, timeout=300).stdout


@dataclass
class Victim:
    """The suite, started again whenever it is not there."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            PYTHON,
            "-m",
            "soc.cli.main",
            "serve",
            "--home",
            str(self.home),
            "--port",
            str(self.port),
        ]
        log = (self.home / "suite.log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        return False

    def wait(self, patience: float = 60) -> None:
        end = time.monotonic() + patience
        while not self.answers():
            if time.monotonic() > end:
                raise RuntimeError(f"no answer: {(self.home / 'suite.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def children(self) -> dict[str, int]:
        """Return the process numbers of the supervisor, the front door and the worker."""
        assert self.process is not None
        found = {"supervisor": self.process.pid}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if parent == self.process.pid:
                    found["front" if b"front" in words else "worker"] = int(entry.name)
        return found

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


@dataclass
class Load:
    """Sends batches without a pause; every sixth is a flood by a new address and wallet."""

    url: str
    token: str
    acknowledged: list[str] = field(default_factory=list)
    floods: list[str] = field(default_factory=list)
    open_since: float | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        session, number = requests.Session(), 0
        session.headers["Authorization"] = f"Bearer {self.token}"
        while not self.stopping.is_set():
            ids, content = self._batch(number)
            while not self.stopping.is_set():
                self.open_since = time.monotonic()
                with suppress(requests.RequestException):
                    answer = session.post(f"{self.url}/load/_bulk", data=content, timeout=30)
                    if answer.ok and not answer.json()["errors"]:
                        self.acknowledged += ids
                        break
                self.open_since = None
                time.sleep(0.05)
            self.open_since = None
            number += 1
            self.stopping.wait(0.02)

    def _batch(self, number: int) -> tuple[list[str], bytes]:
        flood = number % 6 == 5
        size = FLOOD if flood else 40
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"
        ids, lines = [f"load-{number}-{n}" for n in range(size)], []
        wallet = f"0x{number:040x}"
        if flood:
            self.floods.append(wallet)
        for n, name in enumerate(ids):
            event = {
                "@timestamp": at,
                "event": {"dataset": "platform.access", "action": "request", "id": name},
                "source": {"ip": f"192.0.2.{number % 250}" if flood else f"198.51.100.{n}"},
            }
            if flood:
                event["source"] = {"ip": f"2001:db8::{number:x}"}
                event["wallet"] = {"address": wallet}
            lines += [json.dumps({"create": {"_id": name}}), json.dumps(event)]
        return ids, "\n".join([*lines, ""]).encode()


def rounds(home: Path, victim: Victim, tokens: dict[str, Path], stopping: threading.Event) -> int:
    """Play demo rounds one after another; return how many ended."""
    played = 0
    while not stopping.is_set():
        place = home.parent / f"round-{played}"
        place.mkdir()
        base = ["--home", str(place), "--suite", victim.url, "--day-seconds", "6"]
        platform = subprocess.Popen(
            [PYTHON, "-m", "soc.demo.platform", *base, "--port", "0", "--ingest-token-file",
             str(tokens["platform"]), "--edge-token-file", str(tokens["edge"])],
            stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert platform.stdout is not None
        site = next(line.split()[1] for line in platform.stdout if line.startswith("ready"))
        driver = subprocess.Popen(
            [PYTHON, "-m", "soc.demo.driver", *base, "--platform", site, "--suite-token-file",
             str(tokens["rhea"]), "--seed", str(100 + played)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while driver.poll() is None and not stopping.is_set():
            time.sleep(0.5)
        driver.terminate()
        driver.wait()
        time.sleep(3)
        platform.terminate()
        platform.wait()
        platform.stdout.close()
        played += 1
    return played


def opened(home: Path, load: Load, victim: str, last_seq: int) -> set[str]:
    """Return what *victim*, standing still, has open: an append, a window, a step of a run.

    A front door has an append open while our request waits for its answer; a worker a window while
    events are stored that a detector has not seen. The supervisor takes both with it.
    """
    found = {"append"} if victim != "worker" and load.open_since is not None else set()
    if victim == "front":
        return found
    with closing(sqlite3.connect(f"file:{home}/store.db?mode=ro", uri=True, timeout=5)) as store:
        (running,) = store.execute("SELECT count(*) FROM run WHERE state = 'running'").fetchone()
        (read,) = store.execute(f"SELECT min({READ}) FROM detector_window").fetchone()
    found |= {"step"} if running else set()
    return found | ({"window"} if read is not None and read < last_seq else set())


def kill(victim: Victim, load: Load, rng: random.Random) -> tuple[str, set[str]]:
    """Kill one process with signal 9 in whatever it is doing; return which, and what was open."""
    children = victim.children()
    name = rng.choice(sorted(children))
    last_seq = 0
    with suppress(requests.RequestException):
        last_seq = requests.get(f"{victim.url}/readyz", timeout=10).json()["last_seq"]
    os.kill(children[name], signal.SIGSTOP)
    hit = opened(victim.home, load, name, last_seq)
    os.kill(children[name], signal.SIGKILL)
    if name == "supervisor":
        assert victim.process is not None
        victim.process.wait()
        victim.start()
    return name, hit


def prepare(home: Path) -> dict[str, Path]:
    soc(home, "init")
    (home / "settings.yml").write_text(SETTINGS)
    soc(home, "users", "add", "rhea", "--role", "approver", "--role", "responder")
    tokens = {}
    for name, scope, user in (
        ("load", "ingest", None), ("platform", "ingest", None), ("edge", "authz", None),
        ("rhea", "respond", "rhea"), ("reader", "read", None),
    ):  # fmt: skip
        more = ("--user", user) if user else ()
        tokens[name] = home / f"{name}.token"
        tokens[name].write_text(
            soc(home, "tokens", "create", "--name", name, "--scope", scope, *more)
        )
    return tokens


def settle(home: Path, patience: float) -> list[str]:
    """Wait until all is read and nothing is under way, three looks long; return what still is."""
    end, calm = time.monotonic() + patience, 0
    while True:
        with closing(
            sqlite3.connect(f"file:{home}/store.db?mode=ro", uri=True, timeout=10)
        ) as store:
            rows = store.execute(
                "SELECT id, playbook, state FROM run WHERE state IN ('queued', 'running', 'waiting')"
            ).fetchall()
            ((is_read,),) = store.execute(f"SELECT min({READ}) = max({READ}) FROM detector_window")
        calm = calm + 1 if is_read and not rows else 0
        if calm == 3 or time.monotonic() > end:
            return [f"RUN-{number} {name} {state}" for number, name, state in rows]
        time.sleep(0.5)


def verdicts(home: Path, load: Load) -> dict[str, list[Any]]:
    """Return everything that is not as it must be."""
    # One query gives 10,000 rows at most: ask for small enough parts of what was sent.
    parts, events = len(load.acknowledged) // 4_000 + 1, []
    for part in range(parts):
        query = (
            "SELECT event_id, count(*) AS n FROM events "
            f"WHERE source = 'load' AND hash(event_id) % {parts} = {part} GROUP BY 1"
        )
        events += json.loads(soc(home, "sql", query, "--json"))
    stored = {row["event_id"]: row["n"] for row in events}
    seqs = json.loads(
        soc(home, "sql", "SELECT count(*) AS n, count(DISTINCT seq) AS d FROM events", "--json")
    )[0]
    with closing(sqlite3.connect(f"file:{home}/store.db?mode=ro", uri=True)) as store:
        alerts = store.execute("SELECT key FROM alert").fetchall()
        held = store.execute(
            "SELECT run, path, subject, kind FROM effect WHERE state <> 'proposed'"
        ).fetchall()
        answered = store.execute(
            "SELECT e.subject, count(*) FROM effect e JOIN run r ON r.id = e.run "
            "WHERE r.playbook = 'qf-api-abuse' GROUP BY e.subject, r.incident"
        ).fetchall()
        limited = {subject.removeprefix("wallet:") for subject, _ in answered}
        failed = store.execute("SELECT id, reason FROM run WHERE state NOT IN ('done')").fetchall()
        notes = store.execute("SELECT key FROM incident_note WHERE key IS NOT NULL").fetchall()
    keys = [json.loads(path.read_text())["key"] for path in (home / "outbox").glob("*.json")]
    return {
        "acknowledged and lost": sorted(set(load.acknowledged) - set(stored))[:5],
        "stored twice": [name for name, times in stored.items() if times != 1][:5],
        "numbers given twice": [] if seqs["n"] == seqs["d"] else [seqs],
        "alerts doubled": [k for k, n in Counter(alerts).items() if n > 1],
        "effects doubled": [k for k, n in Counter(held).items() if n > 1],
        "wallets answered twice in one incident": [s for s, n in answered if n > 1],
        "floods unanswered": sorted(set(load.floods[:-1]) - limited)[:5],
        "messages doubled": [k for k, n in Counter(keys).items() if n > 1],
        "notes doubled": [k for k, n in Counter(notes).items() if n > 1],
        "runs that did not end well": failed,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def trial(folder: Path, kills: int, gap: float, seed: int, *, play: bool) -> dict[str, Any]:
    """Run the trial; return what was hit and everything that is wrong."""
    rng, home = random.Random(seed), folder / "home"
    tokens = prepare(home)
    victim = Victim(home, free_port())
    victim.start()
    victim.wait()
    load = Load(victim.url, tokens["load"].read_text().strip())
    stopping = threading.Event()
    threads = [threading.Thread(target=load.run)]
    if play:
        threads.append(threading.Thread(target=rounds, args=(home, victim, tokens, stopping)))
    for thread in threads:
        thread.start()
    hits: list[tuple[str, set[str]]] = []
    try:
        for number in range(kills):
            time.sleep(rng.uniform(0.5 * gap, 1.5 * gap))
            victim.wait()
            hits.append(kill(victim, load, rng))
            print(f"{number + 1}: killed {hits[-1][0]} in {sorted(hits[-1][1])}", flush=True)
        victim.wait()
        time.sleep(5)
    finally:
        load.stopping.set()
        stopping.set()
        for thread in threads:
            thread.join()
    left = settle(home, 120)
    victim.stop()
    wrong = {what: found for what, found in verdicts(home, load).items() if found}
    if left:
        wrong["runs that did not end"] = left
    return {
        "kills": len(hits),
        "victims": dict(Counter(name for name, _ in hits)),
        "in something open": sum(bool(hit) for _, hit in hits),
        "open": dict(Counter(what for _, hit in hits for what in hit)),
        "acknowledged": len(load.acknowledged),
        "floods": len(load.floods),
        "wrong": wrong,
    }


def main() -> int:
    """Run the trial and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--gap", type=float, default=8.0, help="mean seconds between kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", action="store_true", help="play demo rounds meanwhile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = trial(Path(folder), given.kills, given.gap, given.seed, play=given.rounds)
    print(json.dumps(result, indent=1, default=str))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
