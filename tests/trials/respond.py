"""Kill and freeze workers, and break the database, while playbooks run; see that nothing is lost.

``make trial-respond`` makes 500 disturbances on SQLite and 500 on a real PostgreSQL. This file
imports nothing of the suite: it reads rows by SQL and the lines that actions leave in a file.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs" / "trial-respond.md"
LEASE = 1.0
PATIENCE = 240.0
OVER = ("done", "failed", "cancelled", "needs_human")
KEYS = ("a", "b", "each[0]", "each[1]", "each[2]", "out")
PLAYBOOK = """\
schema: commonwatch.playbook/1
playbook: trial
version: 1
title: Everything that can be interrupted
description: For the trial.
owner: role:security
status: test
created: 2026-11-26
reviewed: 2026-11-26
references: []
on: {{incident: {{rules: [trial]}}}}
inputs: {{items: {{type: list, default: [0, 1, 2]}}}}
steps:
  - id: limit
    use: wallet.rate_limit
    for_each: ${{{{ incident.wallets }}}}
    with: {{wallet: "${{{{ item }}}}", rate: 1, burst: 1}}
    ttl: 1s
  - id: both
    parallel:
      - [{{id: a, use: test.touch, with: {{file: {file}, word: a}}}}]
      - [{{id: rest, wait: 1s}}, {{id: b, use: test.touch, with: {{file: {file}, word: b}}}}]
  - {{id: once, use: test.once, with: {{file: {file}, word: once}}}}
  - {{id: each, use: test.touch, for_each: "${{{{ inputs.items }}}}", with: {{file: {file}, word: each}}}}
  - id: out
    use: test.break
    with: {{file: {file}, word: out}}
    ttl: 1s
    undo: {{use: test.touch, with: {{file: {file}, word: back}}}}
"""


@dataclass
class Store:
    """Rows, read by plain SQL. restart: breaks the database, where it is a server."""

    url: str
    rows: Callable[[str], list[tuple[Any, ...]]]
    restart: Callable[[], None] | None = None


@dataclass
class Crew:
    """The processes that are disturbed."""

    folder: Path
    store: Store
    forker: subprocess.Popen[str] = field(init=False)
    forked: list[int] = field(default_factory=list)
    workers: list[int] = field(default_factory=list)
    submitter: int = 0
    frozen: list[tuple[int, float]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("responders.py"))]
        self.forker = subprocess.Popen(
            [*command, self.store.url, str(self.folder), str(LEASE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.workers = [self.fork("worker"), self.fork("worker")]
        self.submitter = self.fork("submitter")

    def fork(self, kind: str) -> int:
        assert self.forker.stdin
        assert self.forker.stdout
        self.forker.stdin.write(f"{kind}\n")
        self.forker.stdin.flush()
        self.forked.append(int(self.forker.stdout.readline()))
        return self.forked[-1]

    def disturb(self, chance: random.Random) -> None:
        """Do one of the things that happen at 3 a.m."""
        now = time.monotonic()
        for process, until in list(self.frozen):
            if now >= until:
                _signal(process, signal.SIGCONT)
                self.frozen.remove((process, until))
        draw, place = chance.random(), chance.randrange(2)
        if draw < 0.03 and self.store.restart:
            self.store.restart()
            self.done["the database crashes"] += 1
        elif draw < 0.13:
            _signal(self.submitter, signal.SIGKILL)
            self.submitter = self.fork("submitter")
            self.done["who makes incidents is killed"] += 1
        elif draw < 0.25 and not self.frozen:
            _signal(self.workers[place], signal.SIGSTOP)
            self.frozen.append((self.workers[place], now + 1.6 * LEASE))
            self.workers[place] = self.fork("worker")
            self.done["a worker freezes longer than its lease"] += 1
        else:
            _signal(self.workers[place], signal.SIGKILL)
            self.workers[place] = self.fork("worker")
            self.done["a worker is killed"] += 1

    def end(self, *, submitter: bool) -> None:
        for process, _ in self.frozen:
            _signal(process, signal.SIGCONT)
        self.frozen = []
        if submitter:
            _signal(self.submitter, signal.SIGKILL)
            return
        for process in self.forked:  # those that were frozen have worked on
            _signal(process, signal.SIGKILL)
        self.forker.kill()
        self.forker.communicate()  # waits, and closes both pipes


def play(
    store: Store, folder: Path, disturbances: int, gap: float, seed: int = 7
) -> dict[str, Any]:
    """Disturb *disturbances* times, let the rest end, and return what was found."""
    (folder / "playbook.yml").write_text(PLAYBOOK.format(file=folder / "lines.txt"))
    (folder / "lines.txt").touch()
    crew, chance, begun = Crew(folder, store), random.Random(seed), time.monotonic()
    crew.start()
    try:
        time.sleep(1)
        for _ in range(disturbances):
            time.sleep(chance.uniform(0.1, 2) * gap)
            crew.disturb(chance)
        crew.end(submitter=True)
        _await_the_end(store)
    finally:
        crew.end(submitter=False)
    found = judge(store, folder / "lines.txt")
    took = round(time.monotonic() - begun, 1)
    return {"disturbances": dict(crew.done), "seconds": took, **found}


def judge(store: Store, lines: Path) -> dict[str, Any]:
    """Return what became of every incident, run, step and effect; *wrong* is empty if all is well."""
    runs = store.rows("SELECT id, state, incident, reason FROM run WHERE kind = 'playbook'")
    incidents = {row[0] for row in store.rows("SELECT id FROM incident WHERE NOT operations")}
    left = Counter(tuple(line.split()) for line in lines.read_text().splitlines())
    keys = {key for _, _, key in left}
    wrong = {
        "incidents without a run": incidents - {run[2] for run in runs},
        "runs that are not over": [run[0] for run in runs if run[1] not in OVER],
        "runs that failed": [run[::3] for run in runs if run[1] == "failed"],
        "done runs that lack an effect": [
            r[0] for r in runs if r[1] == "done" and _lacks(r[0], keys)
        ],
        "keyless effects doubled": [k for k, n in left.items() if k[1] == "once" and n > 1],
        "keys nobody expects": keys - {k for run in runs for k in _expected(run[0])},
        "steps done out of their order": _disordered(store),
        **_effects(store, left),
    }
    return {
        "incidents": len(incidents),
        "runs": dict(Counter(run[1] for run in runs)),
        "repeats_under_one_key": sum(n - 1 for n in left.values()),
        "effects": len(store.rows("SELECT id FROM effect WHERE active IS NOT NULL")),
        "wrong": {name: sorted(map(str, found)) for name, found in wrong.items() if found},
    }


def _expected(run: int) -> list[str]:
    steps = [*KEYS, "once"]
    own = [f"EF-{run}-{path.replace('[', '-').removesuffix(']')}" for path in steps]
    return [*own, f"undo-EF-{run}-out"]


def _lacks(run: int, keys: set[str]) -> bool:
    return any(key not in keys for key in _expected(run)[:-1])


def _disordered(store: Store) -> list[int]:
    """Return runs in which a step began before the one before it ended."""
    rows = store.rows(
        "SELECT a.run FROM step a JOIN step b ON a.run = b.run WHERE a.path = 'both'"
        " AND b.path = 'once' AND (a.finished IS NULL OR b.started < a.finished)"
    )
    return [row[0] for row in rows]


def _effects(store: Store, left: Counter[tuple[str, ...]]) -> dict[str, Any]:
    """Return what is wrong with the ends of effects: each once, by one run."""
    effects = store.rows("SELECT id, state FROM effect WHERE active IS NOT NULL")
    undone = Counter(
        effect
        for inputs, state in store.rows("SELECT inputs_json, state FROM run WHERE kind = 'undo'")
        if state == "done"
        for effect in json.loads(inputs)["effects"]
    )
    back = {key for _, word, key in left if word == "back"}
    outside = [row[0] for row in effects if row[0].endswith("-out")]
    (versions,) = store.rows("SELECT count(*), max(version), count(DISTINCT version) FROM effect")
    return {
        "effects still in force": [row for row in effects if row[1] != "lifted"],
        "effects not lifted exactly once": [row[0] for row in effects if undone[row[0]] != 1],
        "lifts of nothing": set(undone) - {row[0] for row in effects},
        "outside effects not taken back": [e for e in outside if f"undo-{e}" not in back],
        "ledger versions twice": [] if versions[0] == versions[2] else [versions],
    }


def _await_the_end(store: Store) -> None:
    open_ = "SELECT (SELECT count(*) FROM run WHERE state NOT IN ('done', 'failed', 'needs_human'))"
    open_ += " + (SELECT count(*) FROM effect WHERE state IN ('active', 'lifting'))"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(Exception):
            if store.rows(open_) == [(0,)]:
                return
        time.sleep(0.5)


def _signal(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def sqlite(folder: Path) -> Store:
    """Return a store in one file."""
    path = folder / "store.db"

    def rows(query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    return Store(f"sqlite:///{path}", rows)


@contextmanager
def postgresql() -> Iterator[Store]:
    """Give a store on a real server, which can be broken."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.servers import postgres

    with postgres.running() as server:
        server.execute("CREATE DATABASE trial TEMPLATE template0")

        def restart() -> None:
            server.stop(signal.SIGQUIT)
            server.start()

        yield Store(server.url("trial"), lambda query: server.execute(query, "trial"), restart)


HEAD = """\
# Trial: runs that are disturbed

Written by `make trial-respond`: workers that carry runs are killed and frozen for longer than their
lease, who makes incidents is killed, and the database server crashes, at random. Each run holds a
wallet back, goes two ways at once, waits, does something that must never be done twice, loops, and
does something outside that another action takes back. Afterwards rows and what actions left in a
file are counted, without any code of the suite. {day}.

"""
ROWS = {
    "incidents": "incidents, each made with its run in one transaction",
    "runs": "runs by how they ended",
    "repeats_under_one_key": "repeats outside, all under the key of the first time",
    "effects": "effects, each ended once and by one run",
    "seconds": "seconds",
}


def page(found: dict[str, dict[str, Any]]) -> str:
    """Return the page that docs show."""
    stores = list(found)
    kinds = sorted({kind for one in found.values() for kind in one["disturbances"]})
    lines = [f"| | {' | '.join(stores)} |", "| --- |" + " ---: |" * len(stores)]
    for kind in kinds:
        counts = [str(found[store]["disturbances"].get(kind, 0)) for store in stores]
        lines.append(f"| {kind} | {' | '.join(counts)} |")
    for key, words in ROWS.items():
        shown = [_shown(found[store][key]) for store in stores]
        lines.append(f"| {words} | {' | '.join(shown)} |")
    wrong = [str(sum(map(len, found[store]["wrong"].values()))) for store in stores]
    checks = "lost, doubled, out of order, without an end, or not over"
    lines.append(f"| {checks} | {' | '.join(wrong)} |")
    return HEAD.format(day=f"{datetime.now(UTC):%Y-%m-%d}") + "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items()))
    return str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disturbances", type=int, default=500)
    parser.add_argument("--gap", type=float, default=0.3)
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--write", action="store_true", help="put the table into docs")
    given = parser.parse_args()
    wrong, every = False, {}
    for name in ["sqlite", "postgresql"] if given.store == "both" else [given.store]:
        with tempfile.TemporaryDirectory() as folder:
            if name == "sqlite":
                found = play(sqlite(Path(folder)), Path(folder), given.disturbances, given.gap)
            else:
                with postgresql() as store:
                    found = play(store, Path(folder), given.disturbances, given.gap)
        every[name] = found
        print(json.dumps({"store": name, **found}, indent=1), flush=True)
        wrong = wrong or bool(found["wrong"])
    if given.write:
        DOCS.write_text(page(every))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
