"""Pairwise-bounded quadratic funding for rounds of many donors.

Ten thousand donors are up to fifty million pairs. Each pair is reckoned in numbers of two halves
("double-double": T. J. Dekker, "A floating-point technique for extending the available precision",
1971), whose operations are exact to about 2^-100 of their result wherever arithmetic is that of
IEEE 754; a pair's term is then cut at 2^-TERM of the largest possible term, and terms are summed as
integers, so that their order changes nothing. An ideal match is off by less than 2^-94 of itself
for each project that a pair shares, plus 2^-TERM of the largest term for each pair; it is rounded
to the nearest 2^-ROUND of the smallest unit, so that what is whole is found whole while a match is
below 2^60 units; a larger one is off by less than a unit while it is below 2^90.
"""

from collections.abc import Iterator, Mapping
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from soc.funding.matching import FINE, Contributions, nearest

Floats = NDArray[np.float64]
Double = tuple[Floats, Floats]
"""Numbers as the sum of a large half and a small one."""

TERM, LIMB = 120, 40
"""Bits of a term below the largest possible one, cut into limbs that sums cannot overflow."""
ROUND = 24
"""Bits behind the point that an ideal match is rounded to."""
BLOCK = 128
"""Donors whose pairs are looked at together."""
ROOT = 160
"""Bits behind the point of a root, before it becomes two halves."""
SPLIT = 134217729.0
"""2^27 + 1, which cuts a float into two of 26 bits."""


def pairwise(given: Contributions, bound: int) -> dict[str, int]:
    """Return the ideal match of each project, in units of 2^-FINE.

    bound: M, in the smallest unit, above 0: no pair moves more than twice that.
    """
    if bound <= 0:
        raise ValueError(f"the bound of a pair is {bound}: write a number above 0")
    projects, donors = sorted(given), sorted({donor for by in given.values() for donor in by})
    place = {donor: number for number, donor in enumerate(donors)}
    # In roots of M, so that a pair's coefficient is 1 / (1 + the sum of products of roots).
    columns = [_Column.of(given[project], place, bound) for project in projects]
    sums = [0] * len(projects)
    for first in range(0, len(donors), BLOCK):
        for number, term in _block(columns, first, len(donors)):
            sums[number] += term
    return {
        project: _rounded(2 * bound * total, column.exponent)
        for project, column, total in zip(projects, columns, sums, strict=True)
    }


class _Column:
    """Who gave one project, in the order of their places, and the roots of what they gave.

    exponent: 2 to it is more than any product of two roots.
    """

    def __init__(self, places: NDArray[np.intp], roots: Double) -> None:
        self.places, self.roots = places, roots
        largest = float(roots[0].max(initial=0.0))
        self.exponent = int(np.frexp(largest * largest)[1]) + 1

    @classmethod
    def of(cls, by: Mapping[str, int], place: Mapping[str, int], bound: int) -> "_Column":
        roots = [isqrt((amount << 2 * ROOT) // bound) for amount in by.values()]
        high = [float(root) for root in roots]
        low = [float(root - int(near)) for root, near in zip(roots, high, strict=True)]
        scale = 2.0**-ROOT
        places = np.array([place[donor] for donor in by], dtype=np.intp)
        return cls(places, (np.array(high) * scale, np.array(low) * scale))


def _block(columns: list[_Column], first: int, donors: int) -> Iterator[tuple[int, int]]:
    """Yield, by project, what the pairs of BLOCK donors with all that come later are worth."""
    shape = (min(BLOCK, donors - first), donors - first)
    agreed: Double = np.zeros(shape), np.zeros(shape)
    found = []
    for number, column in enumerate(columns):
        begin, end = np.searchsorted(column.places, (first, first + BLOCK))
        if begin == end or len(column.places) < begin + 2:
            continue
        rows, others = column.places[begin:end] - first, column.places[begin:] - first
        product = _product(
            tuple(half[begin:end, None] for half in column.roots),
            tuple(half[None, begin:] for half in column.roots),
        )
        is_pair = rows[:, None] < others[None, :]
        product = product[0] * is_pair, product[1] * is_pair
        cells = np.ix_(rows, others)
        more = _sum((agreed[0][cells], agreed[1][cells]), product)
        agreed[0][cells], agreed[1][cells] = more
        found.append((number, cells, product))
    for number, cells, product in found:
        one = np.ones_like(product[0])
        below = _sum((agreed[0][cells], agreed[1][cells]), (one, np.zeros_like(one)))
        yield number, _total(_quotient(product, below), columns[number].exponent)


def _rounded(value: int, exponent: int) -> int:
    """Return *value*, in units of 2^(exponent - TERM), in units of 2^-FINE."""
    behind = TERM - exponent
    whole = nearest(value, behind - ROUND) if behind > ROUND else value << (ROUND - behind)
    return whole << (FINE - ROUND)


def _total(terms: Double, exponent: int) -> int:
    """Return the sum of *terms* in units of 2^(exponent - TERM), each rounded to one."""
    high, low = terms
    total = 0
    for bits in range(LIMB, TERM + 1, LIMB):
        unit = np.ldexp(1.0, exponent - bits)
        limb = np.rint(high / unit)
        total = (total << LIMB) + sum(limb.astype(np.int64).sum(axis=1).tolist())
        high, low = _quick_sum(high - limb * unit, low)
    return total


def _product(a: tuple[Floats, ...], b: tuple[Floats, ...]) -> Double:
    high, error = _exact_product(a[0], b[0])
    return _quick_sum(high, error + (a[0] * b[1] + a[1] * b[0]))


def _sum(a: Double, b: Double) -> Double:
    high, error = _exact_sum(a[0], b[0])
    low, rest = _exact_sum(a[1], b[1])
    high, error = _quick_sum(high, error + low)
    return _quick_sum(high, error + rest)


def _quotient(a: Double, b: Double) -> Double:
    first = a[0] / b[0]
    back, error = _exact_product(first, b[0])
    left = (a[0] - back) - error + a[1] - first * b[1]
    second = left / b[0]
    back, error = _exact_product(second, b[0])
    third = ((left - back) - error - second * b[1]) / b[0]
    high, low = _quick_sum(first, second)
    return _quick_sum(high, low + third)


def _exact_sum(a: Floats, b: Floats) -> Double:
    """Return the sum of two floats and its error (D. E. Knuth, TAOCP 2, 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _quick_sum(a: Floats, b: Floats) -> Double:
    """Return the sum of two floats and its error, where the first is the larger (Dekker 1971)."""
    total = a + b
    return total, b - (total - a)


def _exact_product(a: Floats, b: Floats) -> Double:
    """Return the product of two floats and its error (G. W. Veltkamp and Dekker 1971)."""
    product = a * b
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _halves(a: Floats) -> Double:
    shifted = SPLIT * a
    high = shifted - (shifted - a)
    return high, a - high
