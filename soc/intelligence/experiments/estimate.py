"""Means and ratios per unit, and how two arms differ in them.

A ratio of sums, such as amount per gift, is of gifts that come in clusters: a donor's are alike.
Its spread is that of units, by the delta method (Deng, Knoblich and Lu 2018), never that of single
gifts. All that is needed are sums over units, so that many experiments can be reckoned at once.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Sums(NamedTuple):
    """Sums over the units of an arm: of y, of x, and of their products. For a mean x is 1."""

    units: Floats
    y: Floats
    x: Floats
    yy: Floats
    xy: Floats
    xx: Floats

    def __add__(self, other: Any) -> "Sums":  # noqa: ANN401 - as tuples have it
        """Return the sums of both."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its standard error, for one experiment or for many at once."""

    value: Floats
    error: Floats


def sums(y: Floats, x: Floats | None = None) -> Sums:
    """Return the sums over units; the last axis is that of units."""
    over = np.ones_like(y) if x is None else x
    units = np.full(y.shape[:-1], y.shape[-1], dtype=float)
    products = (y, over, y * y, over * y, over * over)
    return Sums(units, *(each.sum(axis=-1) for each in products))


def estimate(found: Sums) -> Estimate:
    """Return y per x; nan where there is too little of either."""
    n = found.units
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found.y / found.x
        # The residual y - ratio x sums to 0: its mean square is its variance.
        squares = found.yy - 2 * ratio * found.xy + ratio * ratio * found.xx
        variance = np.maximum(squares, 0.0) / (n - 1) / n / (found.x / n) ** 2
        return Estimate(ratio, np.sqrt(variance))


def difference(arm: Estimate, control: Estimate) -> Estimate:
    """Return by how much *arm* is above *control*."""
    return Estimate(arm.value - control.value, np.hypot(arm.error, control.error))


def lift(arm: Estimate, control: Estimate) -> Estimate:
    """Return the logarithm of how many times *control* the value of *arm* is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(arm.value / control.value)
        error = np.hypot(arm.error / arm.value, control.error / control.value)
    return Estimate(value, error)


def z_of(found: Estimate) -> Floats:
    """Return how many standard errors from 0 a value is; 0 where nothing varies."""
    known = (found.error > 0) & np.isfinite(found.value)
    return np.divide(found.value, found.error, out=np.zeros_like(found.error), where=known)
