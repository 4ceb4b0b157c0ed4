"""Measure how often experiments are wrong: ``python benchmarks/experiments.py [--write]``.

In an A/A experiment both arms are one: whatever is called a difference is none. Units are drawn anew
in every run; fixed seeds. Seconds are those of the processor. write puts the tables into
docs/benchmarks-experiments.md.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import ndtri
from statsmodels.stats.contingency_tables import Table
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportions_ztest
from threadpoolctl import threadpool_limits

from soc.incidents.kpis.statistics import wilson
from soc.intelligence.experiments.always import multiplier
from soc.intelligence.experiments.bandit import play, policies
from soc.intelligence.experiments.estimate import Sums, difference, estimate, sums, z_of
from soc.intelligence.experiments.metrics import winsorised
from soc.intelligence.experiments.power import alpha_each, effect_size, power_of, sample_size
from soc.intelligence.experiments.proportions import (
    chi_square,
    pooled_z,
    two_proportion_z,
)
from soc.intelligence.experiments.sequential import boundaries

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks-experiments.md"
BEGIN, END = "<!-- begin -->\n", "<!-- end -->"
ALPHA, LOW, HIGH = 0.05, 0.045, 0.055
SHARE, EACH, RUNS = 0.05, 10_000, 100_000
"""Who gives, units in an arm, experiments."""
UNITS, CLUSTERED, AT_ONCE = 2_000, 40_000, 500
"""The same where gifts come in clusters; runs that are drawn at once."""
EVEN = (0.2, 0.4, 0.6, 0.8, 1.0)
ODD = (0.13, 0.31, 0.5, 0.82, 1.07)
PEEKS = tuple(n / 20 for n in range(1, 21))
TRUTH, STEPS, TRIALS, MOST_REGRET = (0.05, 0.08, 0.06), (1_000, 20_000), 300, 40
CRITICAL = float(ndtri(1 - ALPHA / 2))


class Error(NamedTuple):
    """How often an experiment without a difference showed one. must: whether it is held to that."""

    what: str
    runs: int
    wrong: int
    must: str

    def row(self) -> tuple[object, ...]:
        low, high = wilson(self.wrong, self.runs)
        share = self.wrong / self.runs
        return self.what, f"{self.runs:,}", f"{share:.2%} [{low:.2%}, {high:.2%}]", self.must


WITHIN = f"{LOW:.1%} to {HIGH:.1%}"
BESIDE, EQUAL = "beside", "<= 1e-9"


def crossed(z: np.ndarray, bounds: Sequence[float] | float) -> int:
    """Return in how many runs (rows) z was beyond its bound at any look (columns)."""
    return int((np.abs(z) >= np.asarray(bounds)).any(axis=1).sum())


def shares(looks: Sequence[float], seed: int, arms: int = 2) -> np.ndarray:
    """Return z of each run, look and arm but the control, of shares that are one."""
    rng = np.random.default_rng(seed)
    ends = [round(EACH * each) for each in looks]
    steps = [b - a for a, b in pairwise((0, *ends))]
    hits = np.stack([rng.binomial(step, SHARE, (RUNS, arms)) for step in steps], axis=1).cumsum(1)
    units = np.array(ends)[None, :, None]
    return pooled_z(hits[:, :, 1:], units, hits[:, :, :1], units)


def by_share() -> Iterator[Error]:
    fixed = shares((1.0,), 1)[:, :, 0]
    yield Error("conversion, one look", RUNS, crossed(fixed, CRITICAL), WITHIN)
    for name, looks, seed in (("five even looks", EVEN, 2), ("five unplanned looks", ODD, 3)):
        z = shares(looks, seed)[:, :, 0]
        yield Error(
            f"conversion, {name}, O'Brien-Fleming", RUNS, crossed(z, boundaries(looks)), WITHIN
        )
    peeked = shares(PEEKS, 4)[:, :, 0]
    yield Error("conversion, peeking 20 times at p < .05", RUNS, crossed(peeked, CRITICAL), BESIDE)
    three = np.abs(shares((1.0,), 5, arms=3)[:, 0, :])
    holm = three >= ndtri(1 - alpha_each(ALPHA, 3) / 2)
    yield Error("conversion, three arms, Holm, any arm", RUNS, int(holm.any(1).sum()), "<= 5.5%")


class Donors(NamedTuple):
    """A population: gifts of each, their amount, and the amounts' logarithms and squares."""

    gifts: np.ndarray
    amount: np.ndarray
    logs: np.ndarray
    squares: np.ndarray


def donors(count: int = 50_000) -> Donors:
    """Return people of whom a third gives, some of them often, each of sizes of their own."""
    rng = np.random.default_rng(6)
    gifts = np.where(rng.random(count) < 0.35, 1 + rng.geometric(0.25, count), 0)
    who = np.repeat(np.arange(count), gifts)
    logs = rng.normal(2, 1, count)[who] + rng.normal(0, 0.4, len(who))
    total = np.bincount(who, np.exp(logs), count)
    capped, _ = winsorised(total)
    return Donors(
        gifts.astype(float),
        capped,
        np.bincount(who, logs, count),
        np.bincount(who, logs * logs, count),
    )


def clustered() -> Iterator[Error]:
    people, rng = donors(), np.random.default_rng(7)
    ends = [round(UNITS * each) for each in EVEN]
    wrong = dict.fromkeys(("ratio", "mean", "looks", "naive", "always"), 0)
    wide = multiplier(2 * np.array(ends), ALPHA, 2 * UNITS)
    for _ in range(CLUSTERED // AT_ONCE):
        drawn = rng.integers(len(people.gifts), size=(2, AT_ONCE, UNITS))
        ratio, mean, naive = [], [], []
        for arm in drawn:
            y, x = people.amount[arm], people.gifts[arm]
            blocks = [slice(a, b) for a, b in pairwise((0, *ends))]
            ratio.append([sums(y[:, each], x[:, each]) for each in blocks])
            mean.append(estimate(sums(y)))
            naive.append(_per_gift(people, arm, x))
        z = np.stack([z_of(one) for one in _growing(*ratio)], axis=1)
        wrong["looks"] += crossed(z, boundaries(EVEN))
        wrong["always"] += crossed(z, wide)
        wrong["ratio"] += crossed(z[:, -1:], CRITICAL)
        wrong["mean"] += crossed(z_of(difference(*mean))[:, None], CRITICAL)
        wrong["naive"] += crossed(_welch(*naive)[:, None], CRITICAL)
    for what, name, must in (
        ("amount per gift by donor, delta method, one look", "ratio", WITHIN),
        (
            "amount per gift by donor, delta method, five even looks, O'Brien-Fleming",
            "looks",
            WITHIN,
        ),
        ("amount per unit, winsorised, one look", "mean", WITHIN),
        ("guardrail, amount per gift, five looks, always-valid", "always", "<= 5.5%"),
        ("log amount of a gift, t-test over gifts as if each were a unit", "naive", BESIDE),
    ):
        yield Error(what, CLUSTERED, wrong[name], must)


def _growing(first: Sequence[Sums], second: Sequence[Sums]) -> Iterator:
    a, b = first[0], second[0]
    yield difference(estimate(a), estimate(b))
    for more, other in zip(first[1:], second[1:], strict=True):
        a, b = a + more, b + other
        yield difference(estimate(a), estimate(b))


def _per_gift(people: Donors, arm: np.ndarray, gifts: np.ndarray) -> tuple[np.ndarray, ...]:
    n = gifts.sum(1)
    mean = people.logs[arm].sum(1) / n
    return n, mean, (people.squares[arm].sum(1) - n * mean**2) / (n - 1)


def _welch(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> np.ndarray:
    (n, mean, spread), (m, other, width) = first, second
    return (mean - other) / np.sqrt(spread / n + width / m)


def regrets() -> Iterator[tuple[object, ...]]:
    best = int(np.argmax(TRUTH))
    for name, choose in policies().items():
        row: list[object] = [name]
        for steps in STEPS:
            regret, state = play(choose, TRUTH, steps, TRIALS, seed=8)
            low, high = np.percentile(regret, [5, 95])
            right = (state.shown.argmax(axis=1) == best).mean()
            error = regret.std(ddof=1) / np.sqrt(TRIALS)
            row += [f"{regret.mean():.1f} ± {error:.1f} [{low:.0f}, {high:.0f}]", f"{right:.2f}"]
        yield (*row, f"<= {MOST_REGRET}" if name == "thompson(1,19)" else BESIDE)


def furthest() -> Iterator[tuple[str, str, float]]:
    """Yield how far, relatively, our figures are from those of statsmodels at most."""
    theirs, sizes, solved, powers = NormalIndPower(), [], [], []
    for a, b, alpha, power in product((0.01, 0.05, 0.3), (0.06, 0.4), (0.05, 0.01), (0.8, 0.95)):
        effect = effect_size(a, b)
        units = sample_size(effect, alpha, power)
        sizes.append(theirs.power(effect, units, alpha) / power - 1)
        solved.append(units / theirs.solve_power(effect, alpha=alpha, power=power) - 1)
        ours = [power_of(effect, n, n, alpha) for n in (163, 5_000)]
        powers += [ours[0] / theirs.power(effect, 163, alpha) - 1]
        powers += [ours[1] / theirs.power(effect, 5_000, alpha) - 1]
    yield "power", EQUAL, max(map(abs, powers))
    yield "sample size: what power it says ours has", EQUAL, max(map(abs, sizes))
    yield "sample size: where its own search stops", BESIDE, max(map(abs, solved))
    rng, tests, squares = np.random.default_rng(9), [], []
    for _ in range(500):
        units = rng.integers(200, 50_000, 2)
        hits = rng.binomial(units, 0.08)
        ours, (z, p) = (
            two_proportion_z(hits.tolist(), units.tolist()),
            proportions_ztest(hits, units),
        )
        tests += [ours.statistic / z - 1 if z else 0.0, ours.p / p - 1]
        table = np.stack([hits, units - hits], axis=1)
        other = Table(table, shift_zeros=False).test_nominal_association()
        found = chi_square(table.tolist())
        squares.append(found.statistic / other.statistic - 1 if other.statistic else 0.0)
        squares.append(found.p / stats.chi2.sf(found.statistic, 1) - 1)
    yield "two-proportion z and p", EQUAL, max(map(abs, tests))
    yield "chi-square and p", EQUAL, max(map(abs, squares))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]


def summary() -> Iterator[str]:
    began = time.process_time()
    errors = [*by_share(), *clustered()]
    head = ("A/A experiments", "runs", "called different", "must")
    yield from table(head, [one.row() for one in errors])
    yield ""
    spans = [each for steps in STEPS for each in (f"pseudo-regret, T = {steps:,}", "right arm")]
    yield from table(("policy", *spans, "must, T = 20,000"), list(regrets()))
    yield ""
    rows = [(what, must, f"{far:.1e}") for what, must, far in furthest()]
    yield from table(("furthest from statsmodels, relatively", "must", "measured"), rows)
    yield ""
    yield f"All of this takes {time.process_time() - began:.0f} cpu-s."


def main() -> int:
    with threadpool_limits(1):
        lines = list(summary())
    print("\n".join(lines))
    if "--write" in sys.argv:
        text = DOCS.read_text()
        head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
        when = f"Measured {datetime.now(UTC).date()} by `make bench-experiments`, one thread."
        DOCS.write_text("\n".join([f"{head}{BEGIN}{when}\n", *lines, f"{END}{tail}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
