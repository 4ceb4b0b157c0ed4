"""How many units an experiment needs before it begins, and what so many can show.

Proportions are compared by Cohen's h, the difference of their arcsines, whose spread does not
depend on them (Cohen 1988, *Statistical Power Analysis for the Behavioral Sciences*, chapter 6).
"""

from dataclasses import dataclass
from math import asin, ceil, inf, sqrt

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from soc.errors import Refused

MOST = 1e12
"""Units beyond which nobody will ever get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What an experiment needs. each: units in each arm. alpha: of one comparison."""

    baseline: float
    target: float
    arms: int
    each: int
    alpha: float
    power: float

    @property
    def total(self) -> int:
        """Return the units of all arms together."""
        return self.each * self.arms


def effect_size(first: float, second: float) -> float:
    """Return Cohen's h of two proportions."""
    for each in (first, second):
        if not 0 <= each <= 1:
            raise Refused(f"{each:g} is no proportion: write a number from 0 to 1, such as 0.05")
    return 2 * (asin(sqrt(first)) - asin(sqrt(second)))


def power_of(effect: float, first: float, second: float, alpha: float = 0.05) -> float:
    """Return how often a two-sided z-test sees *effect* with so many units in its two arms."""
    away = abs(effect) * sqrt(1 / (1 / first + 1 / second))
    critical = ndtri(1 - alpha / 2)
    return float(ndtr(away - critical) + ndtr(-critical - away))


def sample_size(
    effect: float, alpha: float = 0.05, power: float = 0.8, ratio: float = 1.0
) -> float:
    """Return the units of the first arm; the second has *ratio* times as many. Raises Refused."""
    _check(alpha, power)
    if effect == 0:
        raise Refused("there is no effect to be seen: say which is the least that matters")

    def short(units: float) -> float:
        return power_of(effect, units, units * ratio, alpha) - power

    if short(MOST) < 0:
        raise Refused("the effect is too small to be seen by anybody: take a larger one")
    upper = 1.0
    while short(upper) < 0:
        upper *= 2
    return float(brentq(short, 1e-9, upper, xtol=1e-12, rtol=1e-14))


def alpha_each(alpha: float, arms: int) -> float:
    """Return the error of each comparison with the control, by Bonferroni.

    Holm's steps reject all that these do and more: to plan by them is safe.
    """
    return alpha / max(1, arms - 1)


def need(
    baseline: float, target: float, arms: int = 2, alpha: float = 0.05, power: float = 0.8
) -> Need:
    """Return what it takes to see *target* instead of *baseline* in any of *arms*."""
    if arms < 2:  # noqa: PLR2004 - one arm has nothing beside it
        raise Refused("an experiment has at least two arms: the control and another")
    each = alpha_each(alpha, arms)
    units = ceil(sample_size(effect_size(baseline, target), each, power))
    return Need(baseline=baseline, target=target, arms=arms, each=units, alpha=each, power=power)


def least_effect(baseline: float, each: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the least rise over *baseline* that so many units in each arm show; inf if none."""
    _check(alpha, power)

    def short(target: float) -> float:
        return power_of(effect_size(baseline, target), each, each, alpha) - power

    if baseline >= 1 or short(1.0) < 0:
        return inf
    return float(brentq(short, baseline, 1.0, xtol=1e-12)) - baseline


def _check(alpha: float, power: float) -> None:
    if not 0 < alpha < 1:
        raise Refused(f"alpha {alpha:g}: write a number between 0 and 1, such as 0.05")
    if not alpha < power < 1:
        raise Refused(f"power {power:g}: write a number between alpha and 1, such as 0.8")
