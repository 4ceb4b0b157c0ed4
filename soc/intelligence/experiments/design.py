"""What an experiment is, as it was decided before it began."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from types import MappingProxyType

from soc.errors import Refused
from soc.intelligence.experiments.metrics import Metric, Shape, metric_of

NAME = re.compile("[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
MOST_ARMS, MOST_LOOKS, HEAVIEST = 10, 20, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """An experiment. arms: their weights, the control first. unit: of what is assigned.

    metric: what decides. guardrails: metrics that must not get worse. looks: the fractions of
    *units* at which it is looked at, the last is 1. units: of all arms together. minimal_effect:
    the least difference to the baseline that matters.
    """

    name: str
    title: str
    owner: str
    arms: Mapping[str, int]
    metric: str
    units: int
    guardrails: Sequence[str] = ()
    looks: Sequence[float] = (1.0,)
    baseline: float | None = None
    minimal_effect: float | None = None
    alpha: float = 0.05
    power: float = 0.8
    unit: str = "wallet"

    @property
    def control(self) -> str:
        """Return the arm that the others are compared with."""
        return next(iter(self.arms))

    @property
    def others(self) -> tuple[str, ...]:
        """Return the arms that are compared with the control."""
        return tuple(self.arms)[1:]

    @property
    def measured_by(self) -> Metric:
        """Return the metric that decides."""
        return metric_of(self.metric)


def designed(design: Design) -> Design:
    """Return *design* if it can be run; raises Refused naming what is wrong."""
    for wrong, said in (
        (not NAME.fullmatch(design.name), "name: write lower-case letters, digits and hyphens"),
        (not design.title.strip(), "title: say in one line what is to be learned"),
        (not design.owner.strip(), "owner: say who decides, such as role:funding"),
        (not _are_arms(design.arms), _ARMS),
        (not _are_looks(design.looks), _LOOKS),
        (design.metric in design.guardrails, "guardrail: the metric that decides is none"),
        (design.unit != "wallet", "unit: wallet is what gifts are known by"),
        (not 0 < design.alpha < 1, "alpha: write a number between 0 and 1, such as 0.05"),
        (design.units < 2 * len(design.arms), "units: plan some for each arm"),
    ):
        if wrong:
            raise Refused(said)
    for each in (design.metric, *design.guardrails):
        metric_of(each)
    return design


def arms_of(words: Sequence[str]) -> Mapping[str, int]:
    """Return arms with weights from words such as ``default=2``; a name alone weighs 1."""
    found: dict[str, int] = {}
    for word in words:
        name, _, weight = word.partition("=")
        if name in found or not (weight or "1").isascii() or not (weight or "1").isdigit():
            raise Refused(f"--arm {word}: {_ARMS}")
        found[name] = int(weight or 1)
    return MappingProxyType(found)


def planned_units(
    metric: str,
    arms: Mapping[str, int],
    baseline: float | None,
    effect: float | None,
    units: int | None,
    alpha: float,
    power: float,
) -> int:
    """Return the units of all arms: as said, else what a share needs. Raises Refused for neither.

    Arms of unequal weight need more in all: so that the lightest has what it needs.
    """
    if units is not None:
        return units
    if metric_of(metric).shape is not Shape.SHARE or baseline is None or effect is None:
        raise Refused(
            "units: say how many you plan with --units, or, for a share such as conversion, what "
            "is expected with --baseline and --effect"
        )
    from soc.intelligence.experiments.power import need  # defers SciPy: rows are read without it

    found = need(baseline, baseline + effect, max(len(arms), 2), alpha, power)
    return ceil(found.each * sum(arms.values()) / max(1, min(arms.values(), default=1)))


def looks_of(text: str) -> tuple[float, ...]:
    """Return fractions such as ``0.5,1``; raises Refused."""
    return _numbers(text, f"--looks {text}: {_LOOKS}")


def prior_of(text: str) -> tuple[float, float]:
    """Return the two numbers of a Beta prior such as ``1,19``; raises Refused."""
    said = f"--prior {text}: write two numbers above 0, such as 1,19"
    found = _numbers(text, said)
    if len(found) != 2 or min(found) <= 0:  # noqa: PLR2004 - successes and failures
        raise Refused(said)
    return found[0], found[1]


def _numbers(text: str, said: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError as wrong:
        raise Refused(said) from wrong


_ARMS = f"arms: name 2 to {MOST_ARMS}, the control first, with whole weights: default=1"
_LOOKS = f"looks: write at most {MOST_LOOKS} rising fractions that end with 1, such as 0.5,1"


def _are_arms(arms: Mapping[str, int]) -> bool:
    return 2 <= len(arms) <= MOST_ARMS and all(  # noqa: PLR2004 - a control and another
        NAME.fullmatch(arm) and 0 < weight <= HEAVIEST for arm, weight in arms.items()
    )


def _are_looks(looks: Sequence[float]) -> bool:
    rise = all(0 < a < b for a, b in pairwise((*looks, 2.0)))
    return 0 < len(looks) <= MOST_LOOKS and rise and looks[-1] == 1
