"""The arithmetic of a threat model: how much a control counts, and what risk is left.

Likelihood and impact are bands on logarithmic scales: a step of likelihood is a factor of 4, one
of impact a factor of 5, so a product of factors is a sum of bands. A floor of a tenth keeps
anybody from reading "eliminated".
"""

import math
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

FLOOR = 0.1
BAND = 0.15
"""How far a design strength, a judgement, may be off."""
LIKELIHOOD_STEP, IMPACT_STEP = 4, 5


class Proof(StrEnum):
    """How much a piece of evidence can prove at most.

    none: nothing by itself, but it must hold. E0: somebody signed. E1: it is configured. E2: it
    passed a test. E3: it was observed at work. E4: it was exercised from end to end.
    """

    NONE = "none"
    E0 = "E0"
    E1 = "E1"
    E2 = "E2"
    E3 = "E3"
    E4 = "E4"

    @property
    def cap(self) -> float:
        """Return how much a control counts that is proven this far, from 0 to 1."""
        return CAPS[self]

    @property
    def rank(self) -> int:
        """Return its place: higher proves more."""
        return list(Proof).index(self)


CAPS = MappingProxyType(
    {Proof.NONE: 0.0, Proof.E0: 0.3, Proof.E1: 0.5, Proof.E2: 0.7, Proof.E3: 0.9, Proof.E4: 1.0}
)


class ControlType(StrEnum):
    """What a control does about a risk.

    preventive: makes it rarer. detective: sees it. responsive: stops what was seen. corrective:
    makes good what happened.
    """

    PREVENTIVE = "preventive"
    DETECTIVE = "detective"
    RESPONSIVE = "responsive"
    CORRECTIVE = "corrective"


class Weighed(NamedTuple):
    """One piece of evidence as it counts.

    freshness: from 1 to 0, 0 where nothing was seen. failing: what was seen last is a failure.
    """

    proof: Proof
    freshness: float
    required: bool = True
    failing: bool = False


class Part(NamedTuple):
    """One control as it counts in a risk: its strength by design, and how much of it operates."""

    type: ControlType
    strength: float
    operation: float


class Residual(NamedTuple):
    """What is left of a risk.

    rarer: the factor on likelihood. smaller: the factor on impact. detects, responds, corrects:
    how far each of them reaches, from 0 to 1.
    """

    likelihood: float
    impact: float
    rarer: float
    smaller: float
    detects: float
    responds: float
    corrects: float

    @property
    def score(self) -> float:
        """Return likelihood times impact, to one decimal."""
        return round(self.likelihood * self.impact, 1)


def freshness(age: timedelta, max_age: timedelta) -> float:
    """Return 1 up to *max_age*, then less, and 0 from twice that age on."""
    return min(1.0, max(0.0, 2 - age / max_age))


def operation(evidence: Iterable[Weighed]) -> float:
    """Return how much of a control operates, from 0 to 1.

    Each class of proof counts as far as the stalest requirement up to it; the best class wins, so
    a stale exercise falls back to fresh tests. One required failure and nothing counts.
    """
    pieces = list(evidence)
    if any(one.required and one.failing for one in pieces):
        return 0.0
    return max((_reach(proof, pieces) for proof in Proof), default=0.0)


def residual(likelihood: int, impact: int, parts: Iterable[Part]) -> Residual:
    """Return what is left of a risk of these bands under the controls *parts*."""
    of_type = dict.fromkeys(ControlType, 1.0)
    for part in parts:
        of_type[part.type] *= 1 - part.strength * part.operation
    rarer = max(FLOOR, of_type[ControlType.PREVENTIVE])
    detects = 1 - of_type[ControlType.DETECTIVE]
    responds = 1 - of_type[ControlType.RESPONSIVE]
    corrects = 1 - of_type[ControlType.CORRECTIVE]
    smaller = max(FLOOR, (1 - detects * responds) * (1 - corrects))
    return Residual(
        likelihood=max(1.0, likelihood + math.log(rarer, LIKELIHOOD_STEP)),
        impact=max(1.0, impact + math.log(smaller, IMPACT_STEP)),
        rarer=rarer,
        smaller=smaller,
        detects=detects,
        responds=responds,
        corrects=corrects,
    )


def shifted(parts: Iterable[Part], by: float) -> list[Part]:
    """Return *parts* with every strength off by *by*, within 0 and 1."""
    return [part._replace(strength=min(1.0, max(0.0, part.strength + by))) for part in parts]


def best_class(evidence: Iterable[Weighed]) -> Proof:
    """Return the class of proof by which a control counts; none if it does not."""
    pieces = list(evidence)
    reached = [(proof, _reach(proof, pieces)) for proof in Proof]
    proof, most = max(reached, key=lambda pair: pair[1])
    return proof if most else Proof.NONE


def _reach(proof: Proof, pieces: list[Weighed]) -> float:
    of_class = [one.freshness for one in pieces if one.proof is proof and not one.failing]
    needed = [one.freshness for one in pieces if one.required and one.proof.rank <= proof.rank]
    return proof.cap * min([max(of_class), *needed]) if of_class else 0.0
