"""Measure the Sigma engine: ``TEST_DATA=FOLDER python benchmarks/detect.py [--write]``.

Prints a table for public rules on public events, in CPU seconds: first of whole processes, then
within one, and the same events asked plainly, rule by rule. Nothing of the data is kept; write puts
the table into docs/benchmarks-detection.md.
"""

import gc
import io
import json
import os
import resource
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import hunt
import orjson
import public
import zstandard

from soc.cli.main import GARBAGE_AFTER
from soc.detect.sigma.cache import RuleCache
from soc.detect.sigma.correlate import correlate
from soc.detect.sigma.event import Event
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.memory import Counts
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.window import Seen

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks-detection.md"
Row = tuple[str, str, str]
"""What, what must be, what was measured."""
TOGETHER = 1_000
CORRELATION = Path(__file__).parents[1] / "rules/linux/linux-ssh-bruteforce.yml"
REPEATS = 5
"""Runs of a whole process, of which the median counts."""
FEW = 2_000
"""Events that are the yardstick."""
PLAINLY = 50
"""One event of so many is also shown to its rules one by one: all would take minutes."""


def cpu(work: Callable[[], object]) -> tuple[float, object]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def children() -> float:
    """Return the CPU seconds of all processes that ended, from their first to their last."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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


def match(ruleset: Ruleset, lines: Sequence[bytes]) -> int:
    hits = 0
    for begin in range(0, len(lines), TOGETHER):
        outcomes = ruleset.match_texts(lines[begin : begin + TOGETHER])
        hits += sum(len(outcome.hits) for outcome in outcomes)
    return hits


def processes(
    rules: Sequence[Path], data: Path, cache: Path, lines: Sequence[bytes]
) -> Iterator[Row]:
    """Yield what ``soc scan`` takes, all of it, and the most memory that it has.

    And beside it a yardstick, measured before each run: how quick the machine is at that time.
    """
    files = [("otrf_100k", "nothing kept", "< 8 cpu-s"), ("otrf_100k", "rules kept", "< 2.5 cpu-s")]
    for name, how, must in [*files, ("otrf_all", "rules kept", "< 17 cpu-s, < 450 MB")]:
        events = data / f"{name}.jsonl.zst"
        if not events.is_file():
            continue
        options = [word for one in rules for word in ("--rules", str(one))]
        each, peaks, bare = [], [], []
        for number in range(REPEATS):
            bare.append(sum(cpu(lambda: list(map(orjson.loads, lines)))[0] for _ in range(10)))
            kept = cache if how == "rules kept" else cache.with_name(f"cache{number or ''}")
            seconds, found = scanned([*options, str(events)], kept)
            each.append(seconds)
            peaks.append(found["peak_rss_mb"])
        said = f"{median(each):.2f} cpu-s ({min(each):.2f} to {max(each):.2f}), {max(peaks)} MB"
        what = f"soc scan, {found['events']:,} events, {how}, median of {REPEATS}"
        yield what, must, f"{said}, {found['hits']:,} hits"
        yield (
            f"yardstick beside: {len(lines):,} events decoded ten times",
            "",
            f"{median(bare):.2f} cpu-s",
        )


def scanned(told: Sequence[str], cache: Path) -> tuple[float, dict[str, Any]]:
    """Return the CPU seconds of a scan, from its first to its last, and what it found."""
    before = children()
    ran = subprocess.run(
        [sys.executable, "-m", "soc.cli.main", "scan", "--summary", *told],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return children() - before, json.loads(ran.stdout)


def loading(rules: Sequence[Path], cache: Path) -> Iterator[Row]:
    kept = RuleCache(cache / "again")
    first, ruleset = cpu(lambda: load_rules(rules, cache=kept))
    assert isinstance(ruleset, Ruleset)
    yield f"{len(ruleset.rules):,} rules from YAML", "", f"{first:.2f} cpu-s"
    starts = [
        cpu(lambda: load_rules(rules, cache=RuleCache(cache / "again")))[0] for _ in range(REPEATS)
    ]
    yield "the same, kept, in a new process", "< 0.2 cpu-s", f"{median(starts):.3f} cpu-s"
    changes = []
    for rule in ruleset.rules[:REPEATS]:
        rule.path.write_text(f"{rule.path.read_text()}\n# changed\n")
        changes.append(cpu(lambda: load_rules(rules, cache=kept))[0])
    yield "the same, one file changed", "< 0.05 cpu-s", f"{median(changes):.3f} cpu-s"


def matching(ruleset: Ruleset, lines: Sequence[bytes]) -> Iterator[Row]:
    cold, hits = cpu(lambda: match(ruleset, lines))
    warm, again = cpu(lambda: match(ruleset, lines))
    assert hits == again
    some = lines[::PLAINLY]
    plain, _ = cpu(lambda: [ruleset.plainly(Event(orjson.loads(line))) for line in some])
    rate = len(lines) / warm
    yield f"{len(lines):,} events, no value known", "", f"{cold:.2f} cpu-s, {hits} hits"
    yield "the same again", ">= 90,000 events a cpu-s", f"{rate:,.0f} events a cpu-s"
    yield "rule by rule", "", f"{len(some) / plain:,.0f} events a cpu-s"


def hostile(ruleset: Ruleset, count: int = 100_000) -> Row:
    """Return what command lines of two thousand characters take that never come twice."""
    draw = Random(5)
    letters = "".join(draw.choices(string.ascii_letters + string.digits + "+/", k=200_000))
    shape = {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1}
    lines = []
    for number in range(count):
        at = draw.randrange(190_000)
        command = f"powershell.exe -nop -w hidden -enc {number} {letters[at : at + 1_950]}"
        lines.append(
            orjson.dumps({**shape, "Image": r"C:\\x\\powershell.exe", "CommandLine": command})
        )
    seconds, _ = cpu(lambda: match(ruleset, lines))
    must, said = ">= 20,000 events a cpu-s", f"{count / seconds:,.0f} events a cpu-s"
    return f"{count:,} command lines of 2 kB, all different", must, said


def hunting(ruleset: Ruleset, events: Path, folder: Path) -> Iterator[Row]:
    """Yield what one rule more takes, asked about all *events*, which are stored first."""
    if not events.is_file():
        return
    took, stored = cpu(lambda: hunt.fill(folder / "store", events, ruleset))
    yield f"{stored:,} events stored, with columns for all rules", "", f"{took:.0f} cpu-s"
    for name, seconds, _, hits in hunt.hunted(folder / "store", folder / public.FOLDERS[0]):
        yield f"{name} over these", "< 0.15 cpu-s", f"{seconds:.3f} cpu-s, {hits} hits"


def rows(data: Path, folder: Path) -> Iterator[Row]:
    rules = public.unpack(data, folder)
    with zstandard.open(data / "otrf_100k.jsonl.zst", "rb") as file:
        opened = io.BufferedReader(file)
        some = [next(opened) for _ in range(FEW)]  # a process begins with the memory of its parent
    yield from processes(rules, data, folder / "cache", some)
    yield from loading(rules, folder / "cache")
    for groups in (10_000, 30_000):
        rate, n = correlation(groups)
        what = f"event_count of hits in order, {groups:,} groups"
        yield what, ">= 1,000,000 hits a cpu-s", f"{rate:,.0f} hits a cpu-s, {n} true"
    ruleset = load_rules(rules, cache=RuleCache(folder / "cache" / "again"))
    with zstandard.open(data / "otrf_100k.jsonl.zst", "rb") as file:
        lines = [line for line in io.BytesIO(file.read()) if line.strip()]
    yield from matching(ruleset, lines)
    yield hostile(ruleset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    yield "memory of this process, with all events in it", "", f"{peak} MB"
    yield from hunting(ruleset, data / "otrf_all.jsonl.zst", folder)


def main() -> int:
    gc.set_threshold(GARBAGE_AFTER)  # as the program does
    data = public.data() or Path()
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(data, Path(folder)))
    lines = [f"| {what} | {must} | {said} |" for what, must, said in found]
    table = "\n".join(["| what | must | measured |", "|---|---|---|", *lines])
    print(table)
    if "--write" in sys.argv:
        when, cores = datetime.now(UTC).date(), os.cpu_count()
        DOCS.write_text(
            f"# Benchmarks of detection\n\nMeasured {when} on {cores} cores by `make bench-detect`, with "
            "public rules on public events\nfrom the folder `TEST_DATA`. CPU seconds, user and system.\n\n"
            f"{table}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
