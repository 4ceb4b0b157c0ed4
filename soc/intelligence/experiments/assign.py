"""Who gets which arm: drawn by hash, so that it is the same everywhere and for ever.

The draw is salted: nobody who does not know the salt can choose a wallet for its arm.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from soc.errors import Refused

DATASET = "experiment.exposure"
BITS = 64
SUSPICIOUS = 0.001
"""A sample ratio less likely than this is no chance: something loses units of one arm."""
WALLET = re.compile("0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Exposure:
    """A unit that was shown an arm."""

    unit: str
    arm: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Who was exposed, each unit once. mixed: units that saw what they were not given: none counts.

    p: of the sample-ratio test; None before there is anybody.
    """

    first: Mapping[str, Exposure]
    counts: Mapping[str, int]
    mixed: int
    p: float | None

    @property
    def is_mismatched(self) -> bool:
        """Return whether arms have not the units that their weights say."""
        return self.p is not None and self.p < SUSPICIOUS


def unit_of(text: str) -> str:
    """Return the one spelling of a unit; raises Refused unless it is a wallet."""
    unit = text.strip().lower()
    if not WALLET.fullmatch(unit):
        raise Refused("unit: write a wallet, 0x and 40 hexadecimal digits")
    return unit


def arm_of(experiment: str, salt: str, unit: str, arms: Mapping[str, int]) -> str:
    """Return the arm of *unit*; each arm gets its weight's share of all units."""
    said = f"{salt}\0{experiment}\0{unit}".encode()
    drawn = int.from_bytes(sha256(said).digest()[: BITS // 8])
    place = drawn * sum(arms.values()) >> BITS
    for arm, weight in arms.items():
        place -= weight
        if place < 0:
            return arm
    raise Refused("an experiment has arms with weights above 0")


def exposed(
    seen: Iterable[Exposure], arms: Mapping[str, int], given: Callable[[str], str]
) -> Exposed:
    """Return who was exposed first to what. given: the arm that a unit was assigned."""
    first: dict[str, Exposure] = {}
    mixed = set()
    for one in sorted(seen, key=lambda each: (each.at, each.unit, each.arm)):
        first.setdefault(one.unit, one)
        if one.unit not in mixed and one.arm != given(one.unit):
            mixed.add(one.unit)
    kept = {unit: one for unit, one in first.items() if unit not in mixed}
    counts = dict.fromkeys(arms, 0)
    for one in kept.values():
        counts[one.arm] += 1
    return Exposed(first=kept, counts=counts, mixed=len(mixed), p=ratio_p(counts, arms))


def ratio_p(counts: Mapping[str, int], arms: Mapping[str, int]) -> float | None:
    """Return how likely counts so far from the weights are (Fabijan and others 2019)."""
    from soc.intelligence.experiments.proportions import goodness  # defers SciPy: arms need none

    if not any(counts.values()):
        return None
    weights: Sequence[float] = [arms[arm] for arm in counts]
    return goodness(list(counts.values()), weights).p
