"""Which look is due. What was seen once cannot be unseen: every look is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from soc.errors import Illegal


@dataclass(frozen=True, slots=True)
class Look:
    """A look that was taken: at which fraction of the planned units, and z of each arm there."""

    fraction: float
    statistics: Mapping[str, float]
    ends: bool = False

    @property
    def is_last(self) -> bool:
        """Return whether nothing is left to be spent."""
        return self.ends or self.fraction >= 1


@dataclass(frozen=True, slots=True)
class Due:
    """The look to take now. before: those that were taken. ends: no more will follow it."""

    fraction: float
    before: Sequence[Look]
    planned: bool
    ends: bool = False

    @property
    def fractions(self) -> list[float]:
        """Return where was looked before."""
        return [each.fraction for each in self.before]

    @property
    def is_last(self) -> bool:
        """Return whether nothing is left to be spent after it."""
        return self.ends or self.fraction >= 1

    def statistics_of(self, arm: str) -> list[float]:
        """Return z of *arm* at each look before."""
        return [each.statistics[arm] for each in self.before]


def due(
    fraction: float,
    planned: Sequence[float],
    taken: Sequence[Look],
    *,
    spend: bool = False,
    ends: bool = False,
) -> Due:
    """Return the look to take at *fraction*; raises Illegal with the reason if there is none.

    spend: look though none is due, and pay for it. ends: the experiment was stopped.
    """
    last = taken[-1].fraction if taken else 0.0
    if taken and taken[-1].is_last:
        raise Illegal("the last look was taken: its result stands")
    if fraction <= last:
        raise Illegal(f"nobody was exposed since the look at {last:.0%}: there is nothing new")
    coming = next((each for each in planned if each > last), 1.0)
    is_due = fraction >= coming
    if not (is_due or spend or ends):
        raise Illegal(
            f"no look is due: {fraction:.1%} of the planned units are there, the next look is at "
            f"{coming:.0%}: wait, or spend some of the error with --spend"
        )
    return Due(fraction, tuple(taken), is_due, ends)


def check_over(taken: Sequence[Look]) -> None:
    """Do nothing if the last look was taken; raise Illegal while one would have to be paid for."""
    if not (taken and taken[-1].is_last):
        raise Illegal(
            "arms are told apart only after the last look: stop the experiment if it is to end, "
            "then take it with soc intelligence experiment report"
        )
