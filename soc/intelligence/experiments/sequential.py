"""Looks at an experiment that still runs, without raising how often it is wrong.

Boundaries spend the error as information comes in (Lan and DeMets 1983): of the kind of O'Brien and
Fleming, little at first. What is left of the paths inside the boundaries is integrated from look to
look (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, chapter 19), so that looks may
fall at any fractions, planned or not.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import ceil, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from soc.errors import Refused

Floats = NDArray[np.float64]
HIGHEST = 9.0
"""Where a boundary stands that spends nothing that could be told: nobody ever crosses it."""
POINTS = 160
FINEST = 4_000
LEAST, MOST = 1e-10, 0.999


class Inside(NamedTuple):
    """The density of the paths that have not crossed, at *points* with *weights* of integration.

    It is that of the score, whose variance is *information*.
    """

    points: Floats
    weights: Floats
    density: Floats
    information: float


def spending(alpha: float, fraction: float) -> float:
    """Return the error that may be spent up to *fraction* of the information, two-sided."""
    if fraction <= 0:
        return 0.0
    each_side = 2 * ndtr(ndtri(alpha / 4) / sqrt(min(fraction, 1.0)))
    return float(2 * each_side)


def boundaries(
    fractions: Sequence[float], alpha: float = 0.05, *, ends: bool = False
) -> list[float]:
    """Return how far from 0 z has to be at each look to be believed.

    ends: the last look is the last of all, whatever its fraction: all that is left is spent there.
    Raises Refused unless fractions rise.
    """
    if not fractions or fractions[0] <= 0 or any(a >= b for a, b in pairwise(fractions)):
        raise Refused("looks are at rising fractions of the planned units, such as 0.5,1")
    spent = [spending(alpha, each) for each in fractions]
    if ends:
        spent[-1] = alpha
    return spent_at(fractions, spent)


def spent_at(information: Sequence[float], spent: Sequence[float]) -> list[float]:
    """Return the boundaries that come to *spent* in all, up to each look."""
    found: list[float] = []
    inside: Inside | None = None
    before = 0.0
    for now, total in zip(information, spent, strict=True):
        found.append(_boundary(inside, now, total - before))
        if len(found) < len(spent):
            inside = _inside(inside, now, found[-1])
        before = total
    return found


def crossed(inside: Inside | None, information: float, boundary: float) -> float:
    """Return the chance to cross *boundary* at this look, and not before."""
    edge = boundary * sqrt(information)
    if inside is None:
        return float(2 * ndtr(-boundary))
    step = sqrt(information - inside.information)
    out = ndtr((-edge - inside.points) / step) + ndtr((inside.points - edge) / step)
    return float((inside.weights * inside.density * out).sum())


def p_value(
    fractions: Sequence[float], statistics: Sequence[float], *, ends: bool = False
) -> float:
    """Return the least alpha whose boundaries one of *statistics* crosses, at its look.

    It may be held against any alpha at each look, and be adjusted by Holm: a sequential p-value
    (Liu and Anderson 2008; Maurer and Bretz 2013).
    """
    sizes = [abs(each) for each in statistics]
    if len(fractions) == 1 and (ends or fractions[0] >= 1):
        return float(2 * ndtr(-sizes[0]))

    def short(log_alpha: float) -> float:
        found = boundaries(fractions, float(np.exp(log_alpha)), ends=ends)
        return max(size - bound for size, bound in zip(sizes, found, strict=True))

    low, high = log(LEAST), log(MOST)
    if short(high) < 0:
        return 1.0
    if short(low) >= 0:
        return LEAST
    return float(np.exp(brentq(short, low, high, xtol=1e-8)))


def _boundary(inside: Inside | None, information: float, spend: float) -> float:
    def left(boundary: float) -> float:
        return crossed(inside, information, boundary) - spend

    if left(HIGHEST) >= 0:
        return HIGHEST
    if left(0.0) <= 0:
        return 0.0
    return float(brentq(left, 0.0, HIGHEST, xtol=1e-10))


def _inside(inside: Inside | None, information: float, boundary: float) -> Inside:
    edge = max(boundary * sqrt(information), 1e-12)
    step = sqrt(information - (inside.information if inside else 0.0))
    unit, weights = _grid(min(FINEST, POINTS * ceil(16 * edge / step / POINTS)))
    points = unit * edge
    if inside is None:
        density = np.exp(-0.5 * (points / step) ** 2) / (step * sqrt(2 * np.pi))
    else:
        away = (points[:, None] - inside.points[None, :]) / step
        kernel = np.exp(-0.5 * away * away) / (step * sqrt(2 * np.pi))
        density = kernel @ (inside.weights * inside.density)
    return Inside(points, weights * edge, density, information)


@cache
def _grid(nodes: int) -> tuple[Floats, Floats]:
    points, weights = np.polynomial.legendre.leggauss(max(nodes, POINTS))
    return points, weights
