"""How a matching pool is shared among projects: quadratic funding, in exact integers.

**Quadratic funding** (V. Buterin, Z. Hitzig, E. G. Weyl, "Liberal Radicalism: A Flexible Design
For Philanthropic Matching Funds", 2018). Donor *i* gives project *p* the sum c(i,p); the project's
ideal match is

    m(p) = (sum over i of sqrt(c(i,p)))^2 - sum over i of c(i,p)
         = sum over pairs i < j of 2 * sqrt(c(i,p) * c(j,p))

**Pairwise-bounded quadratic funding** (V. Buterin, "Pairwise coordination subsidies: a new
quadratic funding design", 2019) counts a pair for less the more it agrees over all projects:

    m(p) = sum over pairs i < j of k(i,j) * 2 * sqrt(c(i,p) * c(j,p))
    k(i,j) = M / (M + sum over q of sqrt(c(i,q) * c(j,q)))

so that no pair moves more than 2 * M, however much it gives; with M without bound it is the first.

**Weights.** A donor's weight w in [0, 1] makes c(i,p) the floor of w * c(i,p), before roots.

**The pool.** If the ideal matches sum to more than the pool, each project gets its share of the
pool, pro rata; the units that rounding leaves go to the largest remainders, ties to the smaller
project name. What is paid then sums to the pool exactly. Else each gets its ideal match, rounded
down, and the rest stays in the pool.

**Exactness.** Amounts are integers in the token's smallest unit. A root is the integer square root
at the scale 2^SCALE: too small by less than 2^-192. With n donors whose roots sum to R an ideal
match is off by less than 2 * n * R / 2^192; it is then rounded to the nearest 2^-FINE. For a
million donors that give up to 2^128 units each that is less than 2^-66: the rounded value is the
true one or its neighbour, and a match that is whole is found whole. How exact pairs are stands in
``soc.funding.pairs``. Nothing depends on the order in which gifts are given here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import NamedTuple

SCALE = 192
"""Bits behind the point of a root."""
FINE = 64
"""Bits behind the point of an ideal match."""

Contributions = Mapping[str, Mapping[str, int]]
"""What each donor gave: by project, by donor, in the smallest unit; nothing that is zero."""


class Gift(NamedTuple):
    """What one wallet gave one project at once, in the token's smallest unit."""

    project: str
    wallet: str
    amount: int


@dataclass(frozen=True, slots=True)
class Matching:
    """What projects get of a pool. paid: by project, whole units. ideal: in units of 2^-FINE.

    is_short: the ideal matches sum to more than the pool.
    """

    pool: int
    ideal: Mapping[str, int]
    paid: Mapping[str, int]
    is_short: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """What wallets move: what each project gets with and without them, and what that comes to.

    gained: the sum of what favoured projects get more because of them. lost: the sum of what the
    others get less. share: of the pool, the larger of both; 0 without a pool.
    """

    counted: Matching
    left_out: Matching
    gained: int
    lost: int
    share: Fraction


def contributions(
    gifts: Iterable[Gift], weights: Mapping[str, Fraction] | None = None
) -> Contributions:
    """Return what each donor gave each project; raises ValueError for what no gift can be.

    *weights* are by wallet, from 0 to 1; a wallet without one counts in full.
    """
    given: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for project, wallet, amount in gifts:
        if amount < 0:
            raise ValueError(f"{wallet} gives {project} {amount}: write no amount below 0")
        given[project][wallet] += amount
    known = weights or {}
    if wrong := sorted(wallet for wallet, weight in known.items() if not 0 <= weight <= 1):
        raise ValueError(f"the weight of {wrong[0]} is {known[wrong[0]]}: write 0 to 1")
    return {
        project: {w: counted for w in sorted(by) if (counted := _weighed(by[w], known.get(w)))}
        for project, by in sorted(given.items())
    }


def quadratic(given: Contributions) -> dict[str, int]:
    """Return the ideal match of each project, in units of 2^-FINE."""
    return Quadratic(given).ideal()


class Quadratic:
    """The roots of what was given: leaving donors out costs no more than what they gave."""

    def __init__(self, given: Contributions) -> None:
        self._sums = {}
        self._gave: defaultdict[str, list[tuple[str, _Sum]]] = defaultdict(list)
        for project, by in sorted(given.items()):
            whole = _Sum(0, 0, 0)
            for donor, amount in by.items():
                one = _Sum(1, isqrt(amount << 2 * SCALE), amount)
                self._gave[donor].append((project, one))
                whole = whole.plus(one)
            self._sums[project] = whole
        self._ideal = {project: one.ideal for project, one in self._sums.items()}

    def ideal(self, left_out: Iterable[str] = ()) -> dict[str, int]:
        """Return the ideal match of each project without *left_out*, in units of 2^-FINE."""
        changed: dict[str, _Sum] = {}
        for donor in sorted(set(left_out)):
            for project, one in self._gave.get(donor, ()):
                changed[project] = changed.get(project, self._sums[project]).minus(one)
        return self._ideal | {project: one.ideal for project, one in changed.items()}


class _Sum(NamedTuple):
    """What some donors gave one project: how many, the sum of their roots, and of their gifts."""

    donors: int
    roots: int
    amount: int

    def plus(self, other: "_Sum") -> "_Sum":
        return _Sum(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: "_Sum") -> "_Sum":
        return _Sum(*(a - b for a, b in zip(self, other, strict=True)))

    @property
    def ideal(self) -> int:
        # One donor is no pair: what is left of its root is the error of rounding alone.
        if self.donors <= 1:
            return 0
        return nearest(self.roots * self.roots - (self.amount << 2 * SCALE), 2 * SCALE - FINE)


def share(ideal: Mapping[str, int], pool: int) -> Matching:
    """Return what projects get of *pool* whole units, with *ideal* matches in units of 2^-FINE."""
    if pool < 0:
        raise ValueError(f"the pool is {pool}: write 0 or more")
    total = sum(ideal.values())
    if total <= pool << FINE:
        paid = {project: match >> FINE for project, match in ideal.items()}
        return Matching(pool, ideal, paid, is_short=False)
    paid = {project: pool * match // total for project, match in ideal.items()}
    left = pool - sum(paid.values())
    by_remainder = sorted(ideal, key=lambda project: (-(pool * ideal[project] % total), project))
    for project in by_remainder[:left]:
        paid[project] += 1
    return Matching(pool, ideal, paid, is_short=True)


def moved(counted: Matching, left_out: Matching) -> Moved:
    """Return what lies between a matching that counts some wallets, and one that does not.

    The share is the **fraud tax** of these wallets, if they are what they are suspected to be: the
    part of the pool that goes where it would not have gone, as BlockScience reports it of Gitcoin's
    rounds ("Gitcoin Grants Round 11 Anti-Fraud Evaluation & Results", 2021: 6.6 % of the pool in
    round 9, 2.1 % in round 10, 0.6 % in round 11). While a pool is short, what some gain is what
    the others lose; else nobody loses, and it is paid out of what would be left over.
    """
    changes = [
        counted.paid.get(project, 0) - left_out.paid.get(project, 0)
        for project in sorted({*counted.paid, *left_out.paid})
    ]
    gained = sum(change for change in changes if change > 0)
    lost = -sum(change for change in changes if change < 0)
    part = Fraction(max(gained, lost), counted.pool) if counted.pool else Fraction()
    return Moved(counted, left_out, gained, lost, part)


def _weighed(amount: int, weight: Fraction | None) -> int:
    return amount if weight is None else amount * weight.numerator // weight.denominator


def nearest(value: int, bits: int) -> int:
    """Return *value* divided by 2^*bits*, rounded to the nearest whole number, halves up."""
    return (value + (1 << (bits - 1))) >> bits
