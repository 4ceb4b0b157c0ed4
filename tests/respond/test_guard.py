"""What may happen unasked, as a table."""

import pytest

from soc.respond.action import Hold, Risk
from soc.respond.guard import NeedsApproval, Perform, decide
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
