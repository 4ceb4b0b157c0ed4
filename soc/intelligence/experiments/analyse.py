"""What an experiment shows at a look, and what its guardrails say at any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from soc.errors import Unfit
from soc.intelligence.experiments.always import multiplier
from soc.intelligence.experiments.assign import SUSPICIOUS, Exposed
from soc.intelligence.experiments.design import Design
from soc.intelligence.experiments.estimate import (
    Estimate,
    difference,
    estimate,
    lift,
    sums,
    z_of,
)
from soc.intelligence.experiments.looks import Due
from soc.intelligence.experiments.metrics import (
    Capped,
    Measured,
    Metric,
    Shape,
    measured,
    metric_of,
)
from soc.intelligence.experiments.power import alpha_each
from soc.intelligence.experiments.proportions import Test, chi_square, two_proportion_z
from soc.intelligence.experiments.sequential import boundaries, p_value
from soc.intelligence.holm import holm

FEWEST, FEWEST_HITS = 30, 5
"""Units of an arm, and of those that did it and of those that did not."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and where it lies."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Arm:
    """How an arm did."""

    arm: str
    units: int
    figure: Figure


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm beside the control. lift: 0.1 is a tenth more. adjusted: p for all arms together."""

    arm: str
    difference: Figure
    lift: Figure
    z: float
    p: float
    adjusted: float
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What a look shows. boundary: how many errors wide intervals are, all arms together."""

    fraction: float
    planned: bool
    ends: bool
    boundary: float
    arms: Sequence[Arm]
    comparisons: Sequence[Comparison]
    chi_square: Test | None
    capped: Capped | None
    conclusion: str


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Whether an arm makes a metric worse: difference to the control, at all times together.

    is_worse: None where it cannot be told yet.
    """

    metric: str
    arm: str
    difference: Figure
    is_worse: bool | None


@dataclass(frozen=True, slots=True)
class Money:
    """What amounts are in."""

    currency: str | None = None
    decimals: int = 0


def check(design: Design, seen: Exposed) -> None:
    """Do nothing if units can be compared; raise Unfit with counts and what to do."""
    counted = ", ".join(f"{arm} {count}" for arm, count in seen.counts.items())
    if not any(seen.counts.values()):
        raise Unfit(
            f"no exposure of {design.name} is stored: let the platform ask for assignments, and "
            "measure only what it has shown"
        )
    if seen.is_mismatched:
        raise Unfit(
            f"sample ratio mismatch, stop: {counted} is not what the weights say "
            f"(p = {seen.p:.2g} < {SUSPICIOUS:g}): find what loses units of an arm; nothing counts"
        )
    if min(seen.counts.values()) < FEWEST:
        raise Unfit(f"too few units: {counted}; at least {FEWEST} in each arm are needed")


def analyse(
    design: Design, seen: Exposed, transactions: pa.Table, due: Due, money: Money
) -> Result:
    """Return what the look *due* shows; raises Unfit with the reason why nothing can be said."""
    check(design, seen)
    metric = design.measured_by
    found = measured(metric, seen.first, transactions, money.currency, money.decimals)
    estimates = {arm: estimate(sums(*found.of(arm))) for arm in design.arms}
    _check_spread(metric, found, estimates)
    now = {arm: _statistic(metric, found, estimates, arm, design.control) for arm in design.others}
    fractions = [*due.fractions, due.fraction]
    each = {
        arm: p_value(fractions, [*due.statistics_of(arm), z], ends=due.ends)
        for arm, z in now.items()
    }
    adjusted = dict(zip(each, holm(list(each.values())), strict=True))
    bound = boundaries(fractions, alpha_each(design.alpha, len(design.arms)), ends=due.ends)[-1]
    compared = [
        _compared(estimates[arm], estimates[design.control], bound, arm, now[arm], each[arm],
                  adjusted[arm], design.alpha)
        for arm in design.others
    ]  # fmt: skip
    return Result(
        fraction=due.fraction,
        planned=due.planned,
        ends=due.ends,
        boundary=bound,
        arms=[Arm(arm, seen.counts[arm], _around(estimates[arm], _Z)) for arm in design.arms],
        comparisons=compared,
        chi_square=_independence(metric, found, design.arms),
        capped=found.capped,
        conclusion=_conclusion(metric, compared, due),
    )


def guard(design: Design, seen: Exposed, transactions: pa.Table, money: Money) -> list[Guardrail]:
    """Return how the guardrails stand; they may be looked at as often as one likes."""
    check(design, seen)
    told = []
    alpha = design.alpha / max(1, len(design.guardrails) * len(design.others))
    for name in design.guardrails:
        metric = metric_of(name)
        found = measured(metric, seen.first, transactions, money.currency, money.decimals)
        control = estimate(sums(*found.of(design.control)))
        for arm in design.others:
            units = seen.counts[arm] + seen.counts[design.control]
            planned = design.units * 2 / len(design.arms)
            wide = float(multiplier(units, alpha, planned))
            here = _around(difference(estimate(sums(*found.of(arm))), control), wide)
            told.append(Guardrail(name, arm, here, _is_worse(metric, here)))
    return told


def _is_worse(metric: Metric, here: Figure) -> bool | None:
    if not (isfinite(here.value) and here.low < here.high):
        return None
    return here.high < 0 if metric.rises else here.low > 0


_Z = float(ndtri(0.975))


def _statistic(
    metric: Metric, found: Measured, estimates: Mapping[str, Estimate], arm: str, control: str
) -> float:
    """Return z of *arm* against the control; shares are pooled, as the hypothesis has it."""
    if metric.shape is Shape.SHARE:
        first, second = found.of(arm)[0], found.of(control)[0]
        hits = (int(first.sum()), int(second.sum()))
        return two_proportion_z(hits, (len(first), len(second))).statistic
    return float(z_of(difference(estimates[arm], estimates[control])))


def _compared(
    arm: Estimate, control: Estimate, bound: float, name: str, z: float, p: float,
    adjusted: float, alpha: float,
) -> Comparison:  # fmt: skip
    ratio = _around(lift(arm, control), bound)
    grown = Figure(*(float(np.expm1(each)) for each in (ratio.value, ratio.low, ratio.high)))
    apart = _around(difference(arm, control), bound)
    return Comparison(name, apart, grown, z, p, adjusted, adjusted <= alpha)


def _around(found: Estimate, wide: float) -> Figure:
    value, half = float(found.value), float(found.error) * wide
    return Figure(value, value - half, value + half)


def _independence(metric: Metric, found: Measured, arms: Mapping[str, int]) -> Test | None:
    if metric.shape is not Shape.SHARE:
        return None
    gave = [found.of(arm)[0] for arm in arms]
    return chi_square([[int(each.sum()), len(each) - int(each.sum())] for each in gave])


def _check_spread(metric: Metric, found: Measured, estimates: Mapping[str, Estimate]) -> None:
    if metric.shape is Shape.SHARE:
        for arm in estimates:
            y = found.of(arm)[0]
            if (fewest := min(y.sum(), len(y) - y.sum())) < FEWEST_HITS:
                raise Unfit(
                    f"too few: {int(fewest)} of {len(y)} units of {arm} decide {metric.name}; "
                    f"at least {FEWEST_HITS} that did it and as many that did not are needed"
                )
    for arm, one in estimates.items():
        if not (np.isfinite(one.value) and one.error > 0):
            raise Unfit(f"{metric.name} does not vary in {arm}: there is nothing to compare")


def _signed(one: Figure) -> str:
    return f"{one.value:+.4g} [{one.low:+.4g}, {one.high:+.4g}]"


def _conclusion(metric: Metric, compared: Sequence[Comparison], due: Due) -> str:
    shown = [one for one in compared if one.is_shown]
    if shown:
        words = []
        for one in shown:
            better = "better" if (one.z > 0) == metric.rises else "worse"
            words.append(f"{one.arm} is {better}: {metric.meaning} {_signed(one.difference)}")
        return "; ".join(words)
    if due.is_last:
        return "no difference is shown; the intervals say how large one may still be"
    return "no difference is shown yet: go on to the next planned look"
