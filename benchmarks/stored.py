"""Measure a filled event store: disk, memory, questions, scans, and the start after a kill.

``python benchmarks/stored.py FOLDER --events 2000000 --days 30`` fills FOLDER once and prints one
JSON object; each part runs in a process of its own, so that memory is that of the part.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from events import BEGIN, Maker, lines

from soc.clock import SettableClock, SystemClock
from soc.ingest.parse import Intake
from soc.ingest.parsers.ecs import Ecs
from soc.logs.embedded import EmbeddedLog
from soc.logs.filter import parse
from soc.logs.port import Search
from soc.logs.promote import announce
from soc.logs.reader import LogReader
from soc.model.event import assign
from soc.settings import Logs

SETTINGS = Logs(warn_below=0, refuse_below=0)
FIELDS = (
    "event.action", "event.outcome", "source.ip", "user.name", "url.path",
    "indexer.lag.blocks", "http.response.status_code",
)  # fmt: skip
"""What the packaged rules ask for."""
BATCH = 20_000


def fill(root: Path, events: int, days: int) -> dict[str, Any]:
    """Store *events*, spread over *days*, and compact what is over."""
    announce(root, FIELDS)
    clock = SettableClock(BEGIN)
    log = EmbeddedLog(root, SETTINGS, clock)
    intake = Intake({"ecs": Ecs()})
    unique = min(events, 400_000)
    made, size = list(lines(unique, days=days)), 0
    began = time.perf_counter()
    for first in range(0, events, BATCH):
        # Later passes are the same events, moved in time and with ids of their own.
        moved = [made[n % unique] for n in range(first, min(first + BATCH, events))]
        clock.moment = BEGIN + timedelta(days=days) * (first / events)
        stamp = clock.moment.isoformat(timespec="milliseconds")[:19].encode()
        moved = [_moved(line, stamp, number) for number, line in enumerate(moved, first)]
        size += sum(map(len, moved))
        columns = intake.table(moved, [None] * len(moved), clock.now())
        log.append(assign(columns, ["bench"] * len(moved), ["default"] * len(moved)))
        if first // BATCH % 4 == 3:
            log.seal()
    log.seal()
    clock.moment = BEGIN + timedelta(days=days + 1)
    log.compact()
    stored = sum(segment.bytes for segment in log.reader.view().segments)
    log.close()
    return {
        "fill_seconds": round(time.perf_counter() - began),
        "bytes_of_event": round(size / events),
        "disk_bytes_per_event": round(stored / events, 1),
        "segments": len(LogReader(root).view().segments),
    }


def _moved(line: bytes, stamp: bytes, number: int) -> bytes:
    at = line.index(b'"@timestamp":"') + 14
    place = line.index(b'"id":"') + 6
    unique = b"%032x" % (number * 2_654_435_761 % 2**128)
    return line[:at] + stamp + line[at + 19 : place] + unique + line[place + 32 :]


def ask(root: Path, days: int) -> dict[str, Any]:
    """Time what analysts ask, warm, and what memory that takes."""
    reader = LogReader(root)
    day = BEGIN + timedelta(days=days // 2)
    one_day = {"since": day, "until": day + timedelta(days=1)}
    wallets = Maker().wallets
    rare, busy = (Search(parse(f"wallet.address:{wallets[n]}")) for n in (30_000, 17))
    asked: dict[str, Callable[[], Any]] = {
        "count_day_ms": lambda: reader.aggregate(Search(parse(""), **one_day), ["event.dataset"]),
        "needle_30_days_ms": lambda: list(reader.search(rare)),
        "busy_wallet_30_days_ms": lambda: list(reader.search(busy)),
        "hourly_histogram_ms": lambda: reader.aggregate(Search(parse("")), [], timedelta(hours=1)),
        "newest_50_of_a_dataset_ms": lambda: list(
            reader.search(Search(parse("event.dataset:admin.audit"), limit=50))
        ),
    }
    found = {name: _median(question) for name, question in asked.items()}
    hits = {
        "needle_hits": len(list(reader.search(rare))),
        "busy_hits": len(list(reader.search(busy))),
    }
    return {**found, **hits, "rss_mb": _rss()}


def scan(root: Path) -> dict[str, Any]:
    """Time a scan of everything, in windows, as a detector reads it."""
    reader, after, rows = LogReader(root), 0, 0
    began = time.perf_counter()
    while (batch := reader.scan(after, 50_000)).upto > after:
        after, rows = batch.upto, rows + len(batch)
    return {
        "scan_events_per_second": round(rows / (time.perf_counter() - began)),
        "scan_rss_mb": _rss(),
    }


def start(root: Path) -> dict[str, Any]:
    """Time the start of a writer that was killed."""
    began = time.perf_counter()
    log = EmbeddedLog(root, SETTINGS, SystemClock())
    seconds = time.perf_counter() - began
    last = log.reader.view().upto
    log.close()
    return {"events": last, "start_seconds": round(seconds, 2), "start_rss_mb": _rss()}


def leave(root: Path) -> dict[str, Any]:
    """Append and end as a kill does: nothing is closed, and a tail is left."""
    log = EmbeddedLog(root, SETTINGS, SystemClock())
    intake, made = Intake({"ecs": Ecs()}), list(lines(15_000, seed=99))
    columns = intake.table(made, [None] * len(made), SystemClock().now())
    log.append(assign(columns, ["bench"] * len(made), ["default"] * len(made)))
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    import os  # here alone

    os._exit(0)


def _median(question: Callable[[], Any], runs: int = 7) -> float:
    question()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        question()
        took.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(took), 1)


def _rss() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


PARTS = {"ask": ask, "scan": scan, "leave": leave, "start": start}


def apart(part: str, root: Path, days: int, events: int = 0) -> dict[str, Any]:
    """Return what a part measures in a process of its own."""
    command = [
        sys.executable,
        __file__,
        str(root),
        "--part",
        part,
        "--days",
        str(days),
        "--events",
        str(events),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--part", choices=["fill", *PARTS], default=None)
    given = parser.parse_args()
    if given.part == "fill":
        print(json.dumps(fill(given.root, given.events, given.days)))
        return
    if given.part:
        part: Any = PARTS[given.part]
        print(json.dumps(part(given.root, given.days) if part is ask else part(given.root)))
        return
    result = apart("fill", given.root, given.days, given.events)
    for name in PARTS:
        with suppress(json.JSONDecodeError):
            result |= apart(name, given.root, given.days)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
