"""Kill the front door, and nothing but it, at random moments under load; lose and double nothing.

``python tests/trials/store.py --kills 300`` is ``make trial-store``. Everything is done and checked
through HTTP, commands and files. Sealing and compaction are made to happen all the time.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

SETTINGS = "logs: {seal_rows: 200, seal_after: 1s, warn_below: 0, refuse_below: 0}\n"
SENDERS = 4


def soc(home: Path, *command: str) -> Any:
    run = [sys.executable, "-m", "soc.cli.main", *command, "--home", str(home), "--json"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return json.loads(done.stdout)


@dataclass
class Sender(threading.Thread):
    """Sends batches with ids; what got no answer is sent again, as a shipper does."""

    number: int
    url: str
    token: str
    acknowledged: dict[str, int] = field(default_factory=dict)
    """The size of each batch that was; its events are called by it and their place in it."""
    refused: Counter[int] = field(default_factory=Counter)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        draw, turn = random.Random(self.number), 0
        while not self.stopping.is_set():
            turn += 1
            batch, size = f"{self.number}-{turn}", draw.choice((1, 7, 50, 200))
            ids = [f"{batch}-{n}" for n in range(size)]
            event = '{"@timestamp":"2026-11-25T12:00:00Z","event":{"dataset":"load"},"message":"x"}'
            body = "".join(f'{{"create":{{"_id":"{one}"}}}}\n{event}\n' for one in ids)
            while not self._sent(body) and not self.stopping.is_set():
                time.sleep(0.05)
            if not self.stopping.is_set():
                self.acknowledged[batch] = size

    def _sent(self, body: str) -> bool:
        try:
            answer = requests.post(
                f"{self.url}/load/_bulk",
                data=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=20,
            )
        except requests.RequestException:
            return False
        if answer.status_code != 200:
            self.refused[answer.status_code] += 1
            return False
        return answer.json()["errors"] is False


def trial(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill the front door *kills* times; return what was done and what is wrong."""
    home, draw = folder / "home", random.Random(seed)
    soc(home, "init")
    (home / "settings.yml").write_text(SETTINGS)
    token = soc(home, "tokens", "create", "--name", "load", "--scope", "ingest")["token"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    senders = [Sender(n, f"http://127.0.0.1:{port}", token) for n in range(SENDERS)]
    for sender in senders:
        sender.start()
    starts = []
    for number in range(kills + 1):
        began = time.monotonic()
        process = start(home, port)
        starts.append(time.monotonic() - began)
        if number % 25 == 0:
            print(f"{number} kills, last start {starts[-1]:.1f} s", file=sys.stderr, flush=True)
        if number < kills:
            time.sleep(
                draw.uniform(0.02, draw.choice((0.9, 0.9, 0.9, 4.0)))
            )  # some live to compact
            process.send_signal(signal.SIGKILL)
            end(process)
    time.sleep(2)
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(60)
    process.terminate()
    end(process)
    return {
        "kills": kills,
        "acknowledged": sum(sum(sender.acknowledged.values()) for sender in senders),
        "refused": dict(sum((sender.refused for sender in senders), Counter())),
        "slowest_start_s": round(max(starts), 2),
        "wrong": verdicts(home, senders),
    }


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait until *process* is gone."""
    process.wait(30)
    assert process.stdin is not None
    process.stdin.close()


def start(home: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the front door; return it when it answers."""
    with (home / "front.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "soc.cli.main", "front", "--home", str(home), "--port", str(port)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )  # fmt: skip
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).ok:
                return process
        time.sleep(0.02)
    raise RuntimeError(f"it did not start: {(home / 'front.log').read_text()[-2000:]}")


def verdicts(home: Path, senders: list[Sender]) -> dict[str, Any]:
    """Return everything that is not as it must be."""
    acknowledged = {
        batch: size for sender in senders for batch, size in sender.acknowledged.items()
    }
    parts, stored = len(acknowledged) // 4_000 + 2, dict[str, dict[str, Any]]()
    for part in range(parts):
        query = (
            "SELECT regexp_replace(event_id, '-[0-9]+$', '') AS batch, count(*) AS n, "
            "count(DISTINCT event_id) AS d, max(CAST(split_part(event_id, '-', 3) AS INTEGER)) AS high "
            f"FROM events WHERE source = 'load' AND hash(batch) % {parts} = {part} GROUP BY 1"
        )
        stored.update({row["batch"]: row for row in soc(home, "sql", query)})
    none = {"d": 0, "high": -1}
    lost = [
        batch
        for batch, size in acknowledged.items()
        if (stored.get(batch, none)["d"], stored.get(batch, none)["high"]) != (size, size - 1)
    ]
    (seqs,) = soc(
        home,
        "sql",
        "SELECT count(*) AS n, count(DISTINCT seq) AS d, min(seq) AS low, max(seq) AS high FROM events",
    )
    proof = soc(home, "segments", "verify")
    whole = seqs["n"] == seqs["d"] == seqs["high"] and seqs["low"] == 1
    found = {
        "lost": lost[:5],
        "doubled": [batch for batch, row in stored.items() if row["n"] != row["d"]][:5],
        "numbers with a gap": [] if whole else [seqs],
        "chain": [] if proof["ok"] else [proof],
    }
    return {name: what for name, what in found.items() if what}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = trial(Path(folder), given.kills, given.seed)
        if result["wrong"]:
            print((Path(folder) / "home" / "front.log").read_text()[-3000:], file=sys.stderr)
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
