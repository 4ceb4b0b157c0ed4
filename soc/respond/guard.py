"""Decide what may happen unasked. Nothing here acts, and nothing elsewhere decides."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from soc.respond.action import Hold, Risk
from soc.settings import Mode, Respond

HARMLESS = frozenset({Risk.READ, Risk.NOTIFY})
UNASKED = MappingProxyType(
    {Mode.PLAN: HARMLESS, Mode.CONTAIN: HARMLESS | {Risk.CONTAIN}, Mode.FULL: frozenset(Risk)}
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a step, and why."""

    why: str


class Perform(Decision):
    """Do it now."""


class NeedsApproval(Decision):
    """Do it when a person has agreed."""


def decide(
    risk: Risk,
    holds: Sequence[Hold],
    policy: Respond,
    agreed: Collection[Hold],
    held: Collection[str],
) -> Decision:
    """Apply every guard there is to a step of *risk* that would put *holds* in force.

    agreed: what people approved in this run already. held: subjects that this run holds back.
    """
    if risk in HARMLESS:
        return Perform(f"to {risk} holds nobody back")
    if holds and all(hold in agreed for hold in holds):
        return Perform("people agreed to exactly this")
    if risk not in UNASKED[policy.mode]:
        return NeedsApproval(f"mode {policy.mode} does not {risk} unasked")
    reach = len({*held, *(hold.subject for hold in holds)})
    if reach > policy.budget:
        return NeedsApproval(f"{reach} subjects are over the budget of {policy.budget}")
    return Perform("no guard objects")


def is_protected(subject: str, policy: Respond) -> bool:
    """Return whether nobody may hold *subject* back, whoever agrees."""
    return subject in policy.protected
