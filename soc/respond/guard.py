"""Decide what may happen unasked. Nothing here acts, and nothing elsewhere decides."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType

from soc.respond.action import Hold, Risk
from soc.settings import Mode, Respond

HARMLESS = frozenset({Risk.READ, Risk.NOTIFY})
UNASKED = MappingProxyType(
    {Mode.PLAN: HARMLESS, Mode.CONTAIN: HARMLESS | {Risk.CONTAIN}, Mode.FULL: frozenset(Risk)}
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision must know of the world. NOTHING: there is nothing to know.

    playbook, action: who wants it. stopped: why all response is stopped, if it is. by_playbook,
    by_action: subjects that each held back in the last hour. donors: how many gave lately;
    donors_held: those of them who would then be held back.
    """

    playbook: str = ""
    action: str = ""
    stopped: str = ""
    by_playbook: frozenset[str] = frozenset()
    by_action: frozenset[str] = frozenset()
    donors: int = 0
    donors_held: int = 0


NOTHING = Facts()
FEWEST_DONORS = 20
"""With fewer, a share of them says nothing."""


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
    facts: Facts = NOTHING,
) -> Decision:
    """Apply every guard there is to a step of *risk* that would put *holds* in force.

    agreed: what people approved in this run already. held: subjects that this run holds back.
    """
    if risk in HARMLESS:
        return Perform(f"to {risk} holds nobody back")
    if facts.stopped:
        return NeedsApproval(f"response is stopped: {facts.stopped}")
    if holds and all(hold in agreed for hold in holds):
        return Perform("people agreed to exactly this")
    if risk not in UNASKED[policy.mode]:
        return NeedsApproval(f"mode {policy.mode} does not {risk} unasked")
    over = _over_budget({hold.subject for hold in holds}, policy, held, facts)
    return NeedsApproval(over) if over else Perform("no guard objects")


def _over_budget(
    wanted: AbstractSet[str], policy: Respond, held: Collection[str], facts: Facts
) -> str:
    """Return which budget *wanted* is over, or nothing."""
    reach = len({*wanted, *held})
    if reach > policy.budget:
        return f"{reach} subjects are over the budget of {policy.budget}"
    hourly = ((facts.playbook, facts.by_playbook), (facts.action, facts.by_action))
    for name, earlier in hourly:
        budget, reach = policy.budgets.get(name), len(wanted | earlier)
        if budget is not None and reach > budget:
            return f"{reach} subjects in an hour are over the budget of {budget} of {name}"
    limit = policy.budget_share
    if limit is not None and facts.donors >= FEWEST_DONORS:
        share = facts.donors_held / facts.donors
        if share > limit:
            return f"{share:.1%} of {facts.donors} active donors are over the budget of {limit:.1%}"
    return ""


def is_protected(subject: str, policy: Respond) -> bool:
    """Return whether nobody may hold *subject* back, whoever agrees.

    A network is protected if an address in it is.
    """
    if subject in policy.protected:
        return True
    network = _network(subject)
    return network is not None and any(
        network.version == other.version and network.overlaps(other)
        for other in map(_network, policy.protected)
        if other is not None
    )


def _network(subject: str) -> IPv4Network | IPv6Network | None:
    kind, _, value = subject.partition(":")
    try:
        return ip_network(value, strict=False) if kind == "ip" else None
    except ValueError:
        return None
