"""Plan labelled funding rounds: seeded, pure, with the truth about every attack in them."""

from soc.simulate.habits import Habits, habits_of, middle
from soc.simulate.round import plan
from soc.simulate.values import FULL, SMALL, AttackKind, Role, RoundPlan, Size

__all__ = [
    "FULL",
    "SMALL",
    "AttackKind",
    "Habits",
    "Role",
    "RoundPlan",
    "Size",
    "habits_of",
    "middle",
    "plan",
]
