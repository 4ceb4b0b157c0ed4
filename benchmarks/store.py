"""Measure the front door and the event store; print the table of what must hold and what does.

``python benchmarks/store.py [--opensearch] [--large] [--write]``: opensearch sends the same
documents to a real OpenSearch, large fills ten million events, write puts the table into
docs/benchmarks.md. With TEST_DATA, one line more has the public rules of that folder detecting.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import public
import yardstick

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "benchmarks.md"
EVENTS, MANY = 600_000, 2_000_000
LOADS = {"500 x 4": ("500", "4"), "100 x 8": ("100", "8")}
RUNS = 5
"""Loads of which the median counts, each on a new home."""


@dataclass
class Line:
    """One line of the table."""

    what: str
    must: str
    found: str
    holds: bool


def soc(home: Path, *command: str) -> Any:
    run = [sys.executable, "-m", "soc.cli.main", *command, "--home", str(home), "--json"]
    return json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


@contextmanager
def served(folder: Path, settings: str) -> Iterator[tuple[str, str, int]]:
    """Give the address of a suite at work, a token, and its front door's process number."""
    home = folder / "home"
    soc(home, "init")
    (home / "settings.yml").write_text(settings)
    token = soc(home, "tokens", "create", "--name", "load", "--scope", "ingest")["token"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "soc.cli.main",
        "serve",
        "--home",
        str(home),
        "--port",
        str(port),
    ]
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await_(f"http://127.0.0.1:{port}/healthz")
        time.sleep(5)  # the worker loads its rules
        yield f"http://127.0.0.1:{port}", f"Bearer {token}", front_of(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def await_(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(URLError, OSError), urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


def front_of(parent: int) -> int:
    """Return the process number of the front door among the children of *parent*."""
    for process in children(parent):
        if b"front" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
            return process
    raise RuntimeError("there is no front door")


def children(parent: int) -> list[int]:
    """Return the process numbers of the children of *parent*."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(stat(int(entry.name))[1]) == parent:
                found.append(int(entry.name))
    return sorted(found)


def stat(process: int) -> list[str]:
    """Return what the kernel tells of *process*, from its state on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(process: int) -> float:
    """Return how long *process* has computed up to now."""
    return sum(map(int, stat(process)[11:13])) / os.sysconf("SC_CLK_TCK")


def measured(
    url: str, token: str, front: int, size: str, connections: str, events: int = EVENTS
) -> dict[str, Any]:
    """Return what ``load`` does, with the processor seconds for 100,000 events of each process."""
    before = {one: cpu_seconds(one) for one in children(int(stat(front)[1]))}
    found = load(url, token, size, connections, events)
    spent = {one: cpu_seconds(one) - begun for one, begun in before.items()}
    named = {
        "front door": spent.pop(front),
        "worker": sum(spent.values()),
        "client": found["cpu_seconds"],
    }
    share = 100_000 / max(found["events"], 1)
    found["cpu"] = ", ".join(f"{name} {used * share:.2f}" for name, used in named.items())
    return found


def load(url: str, token: str, size: str, connections: str, events: int = EVENTS) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "load.py"), url, token]
    more = ["--events", str(events), "--size", size, "--connections", connections]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def peak_mb(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def throughput(name: str, each: list[dict[str, Any]], must: float) -> Line:
    """Return the line of the load in the middle; what is slowest or refused in any of them counts.

    Each has its yardstick, measured before and after it: a machine is not always as quick.
    """
    ordered = sorted(each, key=lambda one: one["ratio"])
    found, ratios = ordered[len(each) // 2], [f"{one['ratio']:.2f}" for one in ordered]
    slowest, refused = (max(one[key] for one in each) for key in ("p99_ms", "refused"))
    said = (
        f"{found['events_per_second']:,} ev/s = {found['ratio']:.2f} of {found['yard']:,} "
        f"({ratios[0]} to {ratios[-1]}), p99 {slowest} ms; CPU s for 100,000: {found['cpu']}"
    )
    holds = found["ratio"] >= must and slowest < 250 and not refused
    return Line(name, f"at least {must} of the yardstick, p99 < 250 ms", said, holds)


def loaded(
    folder: Path, settings: str, wait: int, size: str, connections: str, events: int = EVENTS
) -> dict[str, Any]:
    """Return what a load on a new home came to, beside the yardstick. wait: seconds before it."""
    before = yardstick.measure(folder)
    with (
        tempfile.TemporaryDirectory(dir=folder) as place,
        served(Path(place), settings) as (url, token, front),
    ):
        time.sleep(wait)
        found = measured(url, token, front, size, connections, events)
        found["peak_mb"] = peak_mb(front)
    found["yard"] = (before + yardstick.measure(folder)) // 2
    found["ratio"] = found["events_per_second"] / found["yard"]
    return found


def front_door(folder: Path, data: Path | None) -> Iterator[Line]:
    """Yield what `_bulk` does, with the packaged rules and with many more."""
    for name, shape in LOADS.items():
        each = [loaded(folder, "", 0, *shape) for _ in range(RUNS)]
        yield throughput(f"durable _bulk, {name}", each, 0.25)
    peak = loaded(folder, "", 0, *LOADS["500 x 4"], events=MANY)["peak_mb"]
    yield Line(
        f"memory of the front door, {MANY:,} events", "at most 700 MB", f"{peak} MB", peak <= 700
    )
    if data:
        rules = public.unpack(data, folder / "rules")
        content = [{"path": str(one), "mode": "monitor"} for one in rules]
        settings, files = json.dumps({"content": content}), _files(rules)
        # Thousands of rules load first.
        each = [loaded(folder, settings, 30, *LOADS["500 x 4"]) for _ in range(RUNS)]
        yield throughput(f"the same, 500 x 4, {files:,} files of public rules", each, 0.12)


def _files(folders: list[Path]) -> int:
    return sum(1 for folder in folders for _ in folder.rglob("*.yml"))


def stored(folder: Path, *, large: bool) -> Iterator[Line]:
    """Yield what a filled store costs and answers."""
    found = _stored(folder, 2_000_000)
    for key, what, must in (
        (
            "disk_bytes_per_event",
            f"disk for an event of {found['bytes_of_event']} bytes, promoted columns included",
            200,
        ),
        ("count_day_ms", "count of one day by dataset, 2,000,000 events", 50),
        ("needle_30_days_ms", "one wallet in 30 days, events with their text", 100),
        ("hourly_histogram_ms", "hourly histogram of 30 days", 100),
        ("rss_mb", "memory of the questions (MB)", 700),
    ):
        yield Line(what, f"at most {must}", f"{found[key]}", found[key] <= must)
    rate = found["scan_events_per_second"]
    yield Line(
        "scan for detection, all columns",
        "at least 300,000 ev/s",
        f"{rate:,} ev/s",
        rate >= 300_000,
    )
    if large:
        found = _stored(folder, 10_000_000)
    said = f"{found['start_seconds']} s with {found['events']:,} events"
    yield Line(
        "start after a kill, 10,000,000 events",
        "less than 2 s",
        said,
        large and found["start_seconds"] < 2,
    )


def _stored(folder: Path, events: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [sys.executable, str(HERE / "stored.py"), place, "--events", str(events)]
        found: dict[str, Any] = json.loads(
            subprocess.run(command, capture_output=True, text=True, check=True).stdout
        )
    return found


def opensearch() -> Iterator[Line]:
    """Yield what a real OpenSearch does with the same documents."""
    sys.path.insert(0, str(HERE.parent))
    from tests.servers.opensearch import running  # starts a real server

    with running() as node:
        found = load(node.url, "none", "500", "4", 200_000)
    said = f"{found['events_per_second']:,} ev/s, p99 {found['p99_ms']} ms"
    yield Line(
        "OpenSearch, one node, the same documents, 500 x 4", "for comparison", said, holds=True
    )


def table(lines: list[Line]) -> str:
    rows = [
        f"| {one.what} | {one.must} | {one.found} | {'yes' if one.holds else '**no**'} |"
        for one in lines
    ]
    return "\n".join(["| what | must | measured | holds |", "|---|---|---|---|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--opensearch", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", choices=["door", "stored"])
    given = parser.parse_args()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only != "stored":
            lines += front_door(folder, public.data())
        if given.opensearch:
            lines += opensearch()
        if given.only != "door":
            lines += stored(folder, large=given.large)
    said = table(lines)
    print(said)
    if given.write:
        DOCS.write_text(page(said))
    return 0 if all(line.holds for line in lines) else 1


def page(said: str) -> str:
    when, cores = datetime.now(UTC).date(), os.cpu_count()
    return f"""# Benchmarks

Measured {when} on {cores} cores, the client on the same machine, by
`make bench-store`, `TEST_DATA` naming the folder of public rules. Loads: the median of {RUNS}, each on a
new home, between two measurements of the yardstick: one thread that decodes with orjson, packs with
zstd level 1 and syncs for each 500 events.

{said}
"""


if __name__ == "__main__":
    sys.exit(main())
