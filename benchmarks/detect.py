"""Measure the Sigma engine: ``TEST_DATA=FOLDER python benchmarks/detect.py``.

Prints a table for public rules on public events, in CPU seconds, and the same events asked plainly,
rule by rule, in the same run. Nothing of the data is kept.
"""

import gc
import io
import os
import resource
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import orjson
import zstandard

from soc.detect.sigma.correlate import correlate
from soc.detect.sigma.event import Event
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.memory import Counts
from soc.detect.sigma.window import Seen

FOLDERS = ("rules/windows", "rules-emerging-threats", "rules-threat-hunting")
TOGETHER = 1_000
CORRELATION = Path(__file__).parents[1] / "rules/linux/linux-ssh-bruteforce.yml"
PLAINLY = 50
"""One event of so many is also shown to its rules one by one: all would take minutes."""


def cpu(work: Callable[[], object]) -> tuple[float, object]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def unpack(archive: Path, into: Path) -> None:
    octets = zstandard.ZstdDecompressor().stream_reader(archive.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(octets), mode="r:") as opened:
        opened.extractall(into, filter="data")


def correlation(groups: int, hits: int = 1_000_000, batch: int = 100_000) -> tuple[float, object]:
    """Return how many hits that came in the order of time are counted a CPU second.

    And how many results there were. They are 10 ms apart; a rule wants ten in ten minutes.
    """
    one = load_rules([CORRELATION]).correlations[0]
    names = [(f"0x{number:040x}",) for number in range(groups)]
    random, moment, state = Random(1), 1_700_000_000_000_000, Counts()
    made = []
    for seq in range(1, hits + 1):
        moment += random.randrange(20_000)
        mark = moment - 60_000_000
        made.append(Seen(moment, seq, random.choice(names), passed=mark, awaited=mark))

    gc.collect()
    gc.freeze()  # a million hits that only this benchmark keeps

    def count() -> int:
        nonlocal state
        told = 0
        for begin in range(0, hits, batch):
            results, state = correlate(one, made[begin : begin + batch], state)
            told += len(results)
        return told

    seconds, results = cpu(count)
    return hits / seconds, results


def main() -> int:
    data = Path(os.environ.get("TEST_DATA", "."))
    with zstandard.open(data / "otrf_100k.jsonl.zst", "rb") as file:
        lines = [line for line in io.BytesIO(file.read()) if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        unpack(data / "sigmahq_rules.tar.zst", Path(folder))
        loading, ruleset = cpu(lambda: load_rules([Path(folder) / name for name in FOLDERS]))

    def match() -> int:
        hits = 0
        for begin in range(0, len(lines), TOGETHER):
            texts = lines[begin : begin + TOGETHER]
            outcomes = ruleset.match_all(list(map(orjson.loads, texts)), texts)
            hits += sum(len(outcome.hits) for outcome in outcomes)
        return hits

    def plainly() -> int:
        some = lines[::PLAINLY]
        return sum(len(ruleset.plainly(Event(orjson.loads(line))).hits) for line in some)

    counted = [(groups, *correlation(groups)) for groups in (10_000, 30_000)]
    cold, hits = cpu(match)
    warm, again = cpu(match)
    plain, _ = cpu(plainly)
    rate, usual = len(lines) / warm, len(lines) / PLAINLY / plain
    peak = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - len(b"".join(lines)) // 2**20
    )
    rows = [
        ("rules loaded, and failed", f"{len(ruleset.rules):,}, {len(ruleset.failed)}"),
        ("rules read from YAML", f"{loading:.2f} cpu-s"),
        (f"{len(lines):,} events, no value seen before", f"{cold:.2f} cpu-s, {hits} hits"),
        ("the same again, every value known", f"{warm:.2f} cpu-s = {rate:,.0f} events a cpu-s"),
        ("rule by rule", f"{usual:,.0f} events a cpu-s; together {rate / usual:.0f} times as many"),
        *(
            (f"event_count of hits in order, {groups:,} groups", f"{rate:,.0f} a cpu-s, {n} true")
            for groups, rate, n in counted
        ),
        ("peak memory, without the events", f"{peak} MB"),
    ]
    print("| what | measured |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows), sep="\n")
    return 0 if hits == again else 1


if __name__ == "__main__":
    sys.exit(main())
