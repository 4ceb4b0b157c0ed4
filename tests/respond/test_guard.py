"""What may happen unasked, as a table."""

import pytest

from soc.respond.action import Hold, Risk
from soc.respond.guard import Decision, Facts, NeedsApproval, Perform, decide, is_protected
from soc.settings import Mode, Respond

A, B = (Hold(subject=f"wallet:0x{n}", kind="quarantine") for n in "ab")
CASES = {
    "telling is always allowed": (Risk.NOTIFY, [], Respond(), [], {"wallet:0x9"}, Perform),
    "out of the box nobody is held back": (Risk.CONTAIN, [A], Respond(), [], set(), NeedsApproval),
    "contain contains": (Risk.CONTAIN, [A], Respond(mode=Mode.CONTAIN), [], set(), Perform),
    "contain does not destroy": (Risk.DESTROY, [A], Respond(mode=Mode.CONTAIN), [], set(), NeedsApproval),
    "full destroys": (Risk.DESTROY, [A], Respond(mode=Mode.FULL), [], set(), Perform),
    "over the budget": (Risk.CONTAIN, [A, B], Respond(mode=Mode.FULL, budget=1), [], set(), NeedsApproval),
    "what is held already counts": (Risk.CONTAIN, [A], Respond(mode=Mode.FULL, budget=1), [], {"wallet:0x9"}, NeedsApproval),
    "one subject twice counts once": (Risk.CONTAIN, [A, A], Respond(mode=Mode.FULL, budget=1), [], set(), Perform),
    "the same subject again counts once": (Risk.CONTAIN, [A], Respond(mode=Mode.FULL, budget=1), [], {"wallet:0xa"}, Perform),
    "agreed": (Risk.CONTAIN, [A, B], Respond(budget=0), [B, A], set(), Perform),
    "agreed to something else": (Risk.CONTAIN, [A, B], Respond(), [A], set(), NeedsApproval),
}  # fmt: skip


@pytest.mark.parametrize(
    ("risk", "holds", "policy", "agreed", "held", "kind"), CASES.values(), ids=CASES
)
def test_what_may_happen_unasked(
    risk: Risk, holds: list[Hold], policy: Respond, agreed: list[Hold], held: set[str], kind: type
) -> None:
    assert type(decide(risk, holds, policy, agreed, held)) is kind


BUDGETS = {"calm-down": 2, "wallet.quarantine": 1}
FULL = Respond(mode=Mode.FULL, budgets=BUDGETS, budget_share=0.05)
KNOWN = {
    "nothing is known": (Facts(), Perform),
    "stopped": (Facts(stopped="a rule went wild"), NeedsApproval),
    "within what a playbook may in an hour": (Facts(playbook="calm-down", by_playbook=frozenset({"wallet:0x9"})), Perform),
    "the same wallet again": (Facts(action="wallet.quarantine", by_action=frozenset({A.subject})), Perform),
    "over what a playbook may in an hour": (Facts(playbook="calm-down", by_playbook=frozenset({"wallet:0x8", "wallet:0x9"})), NeedsApproval),
    "over what an action may in an hour": (Facts(action="wallet.quarantine", by_action=frozenset({"wallet:0x9"})), NeedsApproval),
    "another playbook's matter": (Facts(playbook="other", by_playbook=frozenset({"wallet:0x8", "wallet:0x9"})), Perform),
    "few of the donors": (Facts(donors=20, donors_held=1), Perform),
    "too many of the donors": (Facts(donors=20, donors_held=2), NeedsApproval),
    "too few donors to speak of a share": (Facts(donors=19, donors_held=19), Perform),
}  # fmt: skip


@pytest.mark.parametrize(("facts", "kind"), KNOWN.values(), ids=KNOWN)
def test_what_may_happen_by_what_happened_before(facts: Facts, kind: type[Decision]) -> None:
    decision = decide(Risk.CONTAIN, [A], FULL, [], set(), facts)

    assert type(decision) is kind
    assert decision.why


def test_what_people_agreed_to_before_a_stop_waits_for_them_again() -> None:
    stopped = Facts(stopped="a rule went wild")

    assert type(decide(Risk.CONTAIN, [A], FULL, [A], set(), stopped)) is NeedsApproval
    assert type(decide(Risk.NOTIFY, [], FULL, [], set(), stopped)) is Perform


PROTECTED = Respond(protected=("wallet:0xAB", "ip:192.0.2.7", "ip:2001:db8::/48"))


@pytest.mark.parametrize(
    ("subject", "protected"),
    [
        ("wallet:0xab", True),
        ("wallet:0xac", False),
        ("ip:192.0.2.7", True),
        ("ip:192.0.2.0/24", True),
        ("ip:192.0.2.8/29", False),
        ("ip:2001:db8:0:1::/64", True),
        ("ip:2001:db8:1::1", False),
        ("account:192.0.2.7", False),
    ],
)
def test_nobody_holds_back_who_is_protected_nor_a_network_around_them(
    subject: str, protected: bool
) -> None:
    assert is_protected(subject, PROTECTED) is protected
