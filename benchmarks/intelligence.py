"""Measure what is learned from users: ``python benchmarks/intelligence.py [--write]``.

Pairs of projects after shuffling, where there is nothing to be found, and with colluding wallets;
groups in tables without any, and with three; and what features of two million events cost, in a
process of its own. Seconds are those of the processor unless said. write puts the tables into
docs/benchmarks-intelligence.md.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soc.app.studies import AT_ONCE
from soc.intelligence.association.pairs import examine
from soc.intelligence.association.rules import Search, mine
from soc.intelligence.association.shuffle import shuffled
from soc.intelligence.carts import Carts, of_sets
from soc.intelligence.clusters.sheet import Scaling, of_rows
from soc.intelligence.clusters.study import study
from soc.intelligence.features.build import build
from soc.intelligence.view.gather import collected
from soc.intelligence.view.keep import Manifest, View
from soc.intelligence.view.marks import MARKS
from soc.intelligence.view.settle import settle
from soc.model.event import MOMENT, SCHEMA, Batch
from soc.simulate import FULL, Size, plan

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks-intelligence.md"
BEGIN, END = "<!-- begin -->\n", "<!-- end -->"
ROUNDS, SHUFFLES = (1, 2, 3), 20
LARGE = Size(donors=2_500, payroll=300, older=100, sybils=300)
COLLUDING = ("p040", "p075", "p120")
TABLES = 10
EVENTS, BATCH, WALLETS, PROJECTS, ROUNDS_OF = 2_000_000, AT_ONCE, 50_000, 500, 20
START = datetime(2026, 10, 1, tzinfo=UTC)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]


def of_round(seed: int, size: Size) -> Carts:
    sets: dict[str, set[str]] = {}
    for gift in plan(seed, size).gifts:
        sets.setdefault(gift.wallet, set()).add(gift.project)
    return of_sets([sorted(one) for one in sets.values()])


def skewed(seed: int, colluding: int = 0, donors: int = 3_000, projects: int = 200) -> Carts:
    """Return donors who choose by popularity alone, most few and some very many projects.

    Then *colluding* of them give to three unpopular ones besides.
    """
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(2, projects + 2) ** 0.8
    sets = []
    for donor in range(donors):
        number = min(int(rng.lognormal(1.1, 1.1)) + 1, projects // 2)
        own = rng.choice(projects, number, replace=False, p=shares / shares.sum())
        sets.append(
            [*(f"p{n:03d}" for n in own.tolist()), *(COLLUDING if donor < colluding else ())]
        )
    return of_sets(sets)


def pairs() -> Iterator[tuple[object, ...]]:
    data = [(f"planned round {n}", of_round(n, FULL)) for n in ROUNDS]
    data += [(f"planned round {n}, ten times as large", of_round(n, LARGE)) for n in ROUNDS]
    data += [(f"few give to very many, seed {n}", skewed(n)) for n in ROUNDS]
    for name, carts in data:
        mixed = [shuffled(carts, seed) for seed in range(SHUFFLES)]
        found = [examine(one) for one in mixed]
        apriori = mine(mixed[0], found[0].names, search=Search.APRIORI)
        yield (
            name,
            f"{len(carts.wallets):,}",
            len(carts.projects),
            sum(len(one.pairs) for one in found),
            found[0].naive,
            apriori.ungated,
            len(apriori.rules),
            len(examine(carts).pairs),
        )
        print(name, file=sys.stderr)


def planted() -> Iterator[tuple[object, ...]]:
    wanted = {(COLLUDING[a], COLLUDING[b]) for a, b in ((0, 1), (0, 2), (1, 2))}
    for wallets in (10, 20, 30, 60):
        found = [examine(skewed(seed, wallets)).names for seed in range(10)]
        hit = sum(len(one & wanted) for one in found)
        yield (
            wallets,
            f"{hit} of {len(found) * len(wanted)}",
            sum(len(one - wanted) for one in found),
        )


def shapes(rng: np.random.Generator, kind: str) -> np.ndarray:
    rows = rng.normal(size=(200, 6))
    shared = rng.normal(size=(200, 1))
    return {
        "independent columns": rows,
        "one long cloud": shared + 0.3 * rows,
        "one skewed cloud": np.exp(shared + 0.5 * rows),
        "three groups, 3 deviations apart": rows + np.eye(6)[np.arange(200) % 3] * 3 * np.sqrt(0.5),
        "three groups, 6 deviations apart": rows + np.eye(6)[np.arange(200) % 3] * 6 * np.sqrt(0.5),
    }[kind]


KINDS = ("independent columns", "one long cloud", "one skewed cloud",
         "three groups, 3 deviations apart", "three groups, 6 deviations apart")  # fmt: skip


def groups() -> Iterator[tuple[object, ...]]:
    for kind in KINDS:
        told = []
        for seed in range(TABLES):
            rows = shapes(np.random.default_rng(seed), kind)
            names = tuple(f"x{n}" for n in range(rows.shape[1]))
            sheet = of_rows(tuple(map(str, range(len(rows)))), names, rows, Scaling.ROBUST)
            told.append(study(sheet, seed))
        means = [float(np.mean([each.best.silhouette for each in told]))]
        means += [float(np.mean([one.nulls[n].reached for one in told])) for n in range(2)]
        three = sum(one.is_found and one.best.k == 3 for one in told)
        called = sum(one.is_found for one in told)
        yield kind, f"{called} of {TABLES}", three, *(f"{one:.3f}" for one in means)
        print(kind, file=sys.stderr)


def events(first: int, number: int) -> Batch:
    """Return gifts, each announced and then on chain, numbered from *first* on."""
    rng = np.random.default_rng(first)
    gifts = number // 2
    of_gift = np.arange(gifts) + first // 2
    wallet = (rng.random(gifts) ** 2 * WALLETS).astype(np.int64)
    project = (rng.random(gifts) ** 2 * PROJECTS).astype(np.int64)
    made = of_gift * (30 * 86_400_000_000 // (EVENTS // 2))
    amount = (rng.lognormal(2, 1, gifts) * 1e6).astype(np.int64)
    both = {
        "wallet": _named(wallet, "0x", 40),
        "tx_hash": _named(of_gift, "0x", 64),
        "project": _named(project, "p", 4),
        "round": _named(of_gift * ROUNDS_OF // (EVENTS // 2), "r", 2),
        "amount": pa.array(amount).cast(pa.string()),
    }
    head = '{"chain":{"id":1%s},"funding":{"token":{"symbol":"USDC"}},"note":"%s"}'
    raws = (head % ("", "x" * 100), head % (',"finality":"finalized"', "x" * 100))
    parts = []
    for n, (dataset, lag) in enumerate((("funding.donation", 0), ("chain.donation", 12_000_000))):
        at = pa.array(made + lag + int(START.timestamp() * 1e6)).cast(MOMENT)
        columns = {
            **both,
            "seq": pa.array(np.arange(n, number, 2) + first + 1),
            "ts": at,
            "ingested": pa.array(pc.add(at.cast(pa.int64()), 2_000_000)).cast(MOMENT),
            "dataset": pa.array([dataset]).take(pa.array(np.zeros(gifts, dtype=np.int64))),
            "raw": pa.array([raws[n]]).take(pa.array(np.zeros(gifts, dtype=np.int64))),
        }
        missing = pa.nulls(gifts, pa.string())
        parts.append(pa.table([columns.get(name, missing) for name in SCHEMA.names], SCHEMA))
    return Batch(pa.concat_tables(parts).sort_by("seq"), first + number)


def _named(numbers: np.ndarray, begin: str, digits: int) -> pa.Array:
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(pa.scalar(begin), padded, "")


def features(path: Path) -> dict[str, float]:
    """Return what it costs to gather, settle and describe the events in a file, read in parts."""
    reading = 0.0

    def batches() -> Iterator[Batch]:
        nonlocal reading
        parts = pq.ParquetFile(path).iter_batches(BATCH)
        while True:
            began = time.process_time()
            part = next(parts, None)
            reading += time.process_time() - began
            if part is None:
                return
            yield Batch(pa.Table.from_batches([part]), EVENTS)

    cpu, wall = time.process_time(), time.perf_counter()
    gathered = collected(batches())
    tables = settle(gathered)
    manifest = Manifest("", 1, "", {}, EVENTS, {}, {}, "", {})
    view = View(manifest, *tables, marks=MARKS.empty_table(), gathered=gathered)
    frame = build(view, START + timedelta(days=31), decimals=6)
    return {
        "users": frame.table.num_rows,
        "transactions": view.transactions.num_rows,
        "features": len(frame.names),
        "cpu": time.process_time() - cpu,
        "reading": reading,
        "wall": time.perf_counter() - wall,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


def apart() -> dict[str, float]:
    """Return what features cost in a process that has done nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        with pq.ParquetWriter(path, SCHEMA) as file:
            for first in range(0, EVENTS, BATCH):
                file.write_table(events(first, BATCH).table)
        done = subprocess.run(
            [sys.executable, __file__, "--features", str(path)],
            check=True,
            capture_output=True,
            text=True,
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def lines() -> Iterator[str]:
    cost = apart()
    what = f"{cost['features']} features of {cost['users']:,} users from {cost['transactions']:,} gifts, {EVENTS:,} events"
    yield from table(
        ("what", "must", "measured"),
        [
            (f"{what}: wall time", "< 30 s", f"{cost['wall']:.1f} s"),
            (
                "the same: processor time of two threads, reading events in it",
                "",
                f"{cost['cpu']:.1f} s, {cost['reading']:.1f} s",
            ),
            ("the same: peak memory of the process", "< 1.5 GB", f"{cost['gb']:.2f} GB"),
        ],
    )
    yield ""
    head = ("data", "donors", "projects", f"pairs that stand out in {SHUFFLES} shuffles: must be 0",
            "pairs with lift above 1, one shuffle", "Apriori without the gate, one shuffle: rules",
            "rules kept, the same shuffle", "pairs that stand out as they are")  # fmt: skip
    yield from table(head, list(pairs()))
    yield ""
    yield from table(
        ("colluding wallets of 3,000", "planted pairs found", "others"), list(planted())
    )
    yield ""
    head = ("200 rows, 6 columns", "called clusters", "of these three", "silhouette, mean",
            "95 % of independent columns", "95 % of one population")  # fmt: skip
    yield from table(head, list(groups()))


def main() -> int:
    if "--features" in sys.argv:
        print(json.dumps(features(Path(sys.argv[-1]))))
        return 0
    found = list(lines())
    print("\n".join(found))
    if "--write" in sys.argv:
        text = DOCS.read_text()
        head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
        when = f"Measured {datetime.now(UTC).date()} by `make bench-intelligence`."
        DOCS.write_text("\n".join([f"{head}{BEGIN}{when}\n", *found, f"{END}{tail}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
