"""Measure anomaly models: ``TEST_DATA=FOLDER python benchmarks/anomaly.py [--write]``.

The sets of ADBench in the folder ``adbench_dev`` of TEST_DATA, by its protocol: at most 10,000 rows
of a set, 70 % to learn from with the anomalies in them, 30 % to be scored, three seeds, labels for
the grade alone. The options of ``tabular-contaminated`` are chosen for each set on all others.
PyOD's isolation forest learns from and scores the same rows in the same run, scaled as ADBench does.
Seconds are those of the processor, of one thread. write puts the tables into
docs/benchmarks-anomaly.md.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from soc.detect.strangeness.combine import z_log
from soc.detect.strangeness.forest import Forest
from soc.detect.strangeness.lesinn import Lesinn
from soc.detect.strangeness.measure import average_precision, roc_area
from soc.detect.strangeness.model import fit
from soc.detect.strangeness.profile import PROFILES, TABULAR, Profile, tabular
from soc.detect.strangeness.scale import scale_of

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks-anomaly.md"
BEGIN, END = "<!-- begin -->\n", "<!-- end -->"
MOST_ROWS, SEEDS, HELD = 10_000, (0, 1, 2), 0.3
SAMPLES, TRIMS, WEIGHTS = (8, 16, 32), (0.0, 0.07, 0.2), (1.0, 2.0)
DRAWS, TREES = 100, 50
WIDEST = 1_000
"""Columns from which the slow members are left out."""
MANY, COLUMNS = 1_000_000, 20
INCUMBENT = "PyOD IForest"


@dataclass(frozen=True)
class Option:
    """One way to run the profile."""

    sample: int
    trim: float
    weight: float

    def profile(self) -> Profile:
        lesinn = Lesinn(sample=self.sample, draws=DRAWS, trim=self.trim)
        return tabular(lesinn, Forest(trees=TREES), self.weight)

    def __str__(self) -> str:
        return f"{self.sample} x {DRAWS}, trim {self.trim:g}, weight {self.weight:g}"


@dataclass(frozen=True)
class Split:
    learn: np.ndarray
    judge: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Grade:
    ap: float
    auc: float

    @property
    def pair(self) -> tuple[float, float]:
        return self.ap, self.auc


GRID = tuple(Option(*one) for one in product(SAMPLES, TRIMS, WEIGHTS))


def mean(grades: Sequence[Grade]) -> Grade:
    return Grade(*(float(each) for each in np.mean([grade.pair for grade in grades], axis=0)))


def both(grade: Grade) -> float:
    """Return what options are chosen by: both measures have to be better."""
    return grade.ap + grade.auc


def ap_alone(grade: Grade) -> float:
    return grade.ap


Graded = Mapping[str, Mapping[Option, Grade]]
Judge = Callable[[Grade], float]


def best(graded: Graded, names: Sequence[str], by: Judge) -> Option:
    """Return the option that is best on the sets *names*."""
    given = list(next(iter(graded.values())))
    return max(given, key=lambda one: by(mean([graded[name][one] for name in names])))


def chosen_elsewhere(graded: Graded, by: Judge) -> dict[str, tuple[Option, Grade]]:
    """Return for each set the option that is best on all others, and its grade here."""
    found = {}
    for held in graded:
        one = best(graded, [name for name in graded if name != held], by)
        found[held] = one, graded[held][one]
    return found


def interval(differences: Sequence[float], draws: int = 10_000) -> tuple[float, float]:
    """Return where the mean difference over sets lies, 95 %, by drawing sets anew."""
    made = np.random.default_rng(0).choice(differences, (draws, len(differences))).mean(axis=1)
    low, high = np.percentile(made, [2.5, 97.5])
    return float(low), float(high)


def split(path: Path, seed: int) -> Split:
    from sklearn.model_selection import train_test_split

    with np.load(path, allow_pickle=False) as opened:
        rows, labels = opened["X"].astype(float), opened["y"].astype(int)
    if len(rows) > MOST_ROWS:
        some = np.random.RandomState(seed).choice(len(rows), MOST_ROWS, replace=False)
        rows, labels = rows[some], labels[some]
    enough = labels if labels.sum() > len(SEEDS) else None
    learn, judge, _, told = train_test_split(
        rows, labels, test_size=HELD, random_state=seed, stratify=enough
    )
    return Split(learn, judge, told)


def grade(labels: np.ndarray, scores: np.ndarray) -> Grade:
    return Grade(average_precision(labels, scores), roc_area(labels, scores))


def options(one: Split, seed: int) -> dict[Option, Grade]:
    """Return the grade of each option; what options share is reckoned once."""
    scale = scale_of(one.learn)
    learn, judge = scale.apply(one.learn), scale.apply(one.judge)
    order = np.lexsort(one.learn.T)
    forest = Forest(trees=TREES).fit(learn[order], seed)
    trees = z_log(forest.score(judge), forest.usual)
    told = {}
    for sample, trim in product(SAMPLES, TRIMS):
        lesinn = Lesinn(sample=sample, draws=DRAWS, trim=trim).fit(learn[order], seed)
        near = z_log(lesinn.score(judge), lesinn.usual)
        for weight in WEIGHTS:
            told[Option(sample, trim, weight)] = grade(one.labels, weight * near + trees)
    return told


def by_profile(profile: Profile, one: Split, seed: int) -> Grade:
    columns = [f"x{number}" for number in range(one.learn.shape[1])]
    return grade(one.labels, fit(profile, one.learn, columns, seed).score(one.judge))


def by_pyod(one: Split, seed: int) -> Grade:
    from pyod.models.iforest import IForest
    from sklearn.preprocessing import MinMaxScaler

    scaler = MinMaxScaler().fit(one.learn)
    model = IForest(random_state=seed).fit(scaler.transform(one.learn))
    return grade(one.labels, model.decision_function(scaler.transform(one.judge)))


@dataclass(frozen=True)
class Measured:
    """By set: grades of each option; by judge and set: grades, and seconds of all of them."""

    options: Graded
    judges: Mapping[str, Mapping[str, Grade]]
    seconds: Mapping[str, float]


def measure(data: Path) -> Measured:
    judges: dict[str, Callable[[Split, int], Grade]] = {
        name: lambda one, seed, profile=profile: by_profile(profile, one, seed)
        for name, profile in PROFILES.items()
    }
    judges[INCUMBENT] = by_pyod
    graded, told = {}, {name: {} for name in judges}
    seconds = dict.fromkeys(judges, 0.0)
    for path in sorted(data.glob("*.npz"), key=lambda path: int(path.stem.partition("_")[0])):
        splits = [(split(path, seed), seed) for seed in SEEDS]
        each = [options(one, seed) for one, seed in splits]
        graded[path.stem] = {one: mean([found[one] for found in each]) for one in GRID}
        for name, judge in judges.items():
            if name in {"lof", "one-class-svm", "mahalanobis", "seed-consensus"} and (
                splits[0][0].learn.shape[1] > WIDEST
            ):
                continue
            began = time.process_time()
            told[name][path.stem] = mean([judge(one, seed) for one, seed in splits])
            seconds[name] += time.process_time() - began
        print(path.stem, file=sys.stderr)
    return Measured(graded, told, seconds)


def throughput() -> float:
    """Return the seconds in which the shipped profile learns from and scores a million rows."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(MANY, COLUMNS)) + rng.normal(size=(MANY, 1))
    rows[: MANY // 100] = rng.normal(0, 4, (MANY // 100, COLUMNS))
    columns = [f"x{number}" for number in range(COLUMNS)]
    began = time.process_time()
    scores = fit(TABULAR, rows, columns).score(rows)
    seconds = time.process_time() - began
    assert np.isfinite(scores).all()
    return seconds


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]


def summary(found: Measured, seconds: float) -> Iterator[str]:
    held = chosen_elsewhere(found.options, both)
    alone = mean([one for _, one in chosen_elsewhere(found.options, ap_alone).values()])
    incumbent = found.judges[INCUMBENT]
    ours = mean([one for _, one in held.values()])
    theirs = mean(list(incumbent.values()))
    by_set = [held[name][1].ap - incumbent[name].ap for name in held]
    low, high = interval(by_set)
    wins = sum(each > 0 for each in by_set)
    winner = best(found.options, list(held), both)
    sets = len(held)
    yield from table(
        ("what", "must", "measured"),
        [
            (
                f"mean AP of {sets} sets, options chosen on the others",
                f"> {INCUMBENT}: {theirs.ap:.3f}",
                f"{ours.ap:.3f}",
            ),
            (
                f"mean AUC of {sets} sets, options chosen on the others",
                f"> {INCUMBENT}: {theirs.auc:.3f}",
                f"{ours.auc:.3f}",
            ),
            (
                "AP and AUC, if options are chosen by AP alone",
                f"> {theirs.ap:.3f}, > {theirs.auc:.3f}",
                f"{alone.ap:.3f}, {alone.auc:.3f}",
            ),
            (
                "difference in AP, 95 % by drawing sets anew",
                "",
                f"{ours.ap - theirs.ap:+.3f} [{low:+.3f}, {high:+.3f}], {wins} of {sets} sets better",
            ),
            (
                f"learn and score {MANY:,} x {COLUMNS} as shipped",
                "< 15 cpu-s, aim 8",
                f"{seconds:.1f} cpu-s",
            ),
            ("the best option on all sets", "is shipped", f"{winner}; shipped: {shipped()}"),
        ],
    )
    yield ""
    yield from table(
        ("set", "options chosen on the others", "AP", f"{INCUMBENT} AP", "AUC", f"{INCUMBENT} AUC"),
        [
            (
                name,
                option,
                f"{one.ap:.3f}",
                f"{incumbent[name].ap:.3f}",
                f"{one.auc:.3f}",
                f"{incumbent[name].auc:.3f}",
            )
            for name, (option, one) in held.items()
        ],
    )
    yield ""
    rows = []
    for name, grades in found.judges.items():
        got, same = mean(list(grades.values())), mean([incumbent[each] for each in grades])
        rows.append(
            (
                name,
                len(grades),
                f"{got.ap:.3f}",
                f"{got.auc:.3f}",
                f"{same.ap:.3f}",
                f"{found.seconds[name]:.1f}",
            )
        )
    head = (
        "profile as shipped",
        "sets",
        "AP",
        "AUC",
        f"{INCUMBENT} AP on these",
        "cpu-s, all sets and seeds",
    )
    yield from table(head, sorted(rows, key=lambda row: row[2], reverse=True))


def shipped() -> Option:
    lesinn = TABULAR.members[0]
    assert isinstance(lesinn, Lesinn)
    return Option(lesinn.sample, lesinn.trim, TABULAR.weights[0])


def main() -> int:
    data = Path(os.environ.get("TEST_DATA", ".")) / "adbench_dev"
    if not any(data.glob("*.npz")):
        print(f"{data} holds no sets: let TEST_DATA name their folder", file=sys.stderr)
        return 2
    with threadpool_limits(1):
        lines = list(summary(measure(data), throughput()))
    print("\n".join(lines))
    if "--write" in sys.argv:
        text = DOCS.read_text()
        head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
        when = f"Measured {datetime.now(UTC).date()} by `make bench-anomaly`, one thread."
        DOCS.write_text("\n".join([f"{head}{BEGIN}{when}\n", *lines, f"{END}{tail}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
