"""Profiles: which members judge which kind of rows, measured by ``make bench-anomaly``."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from soc.detect.strangeness.combine import Combination
from soc.detect.strangeness.forest import Forest
from soc.detect.strangeness.lesinn import Lesinn
from soc.detect.strangeness.lof import Lof
from soc.detect.strangeness.mahalanobis import Mahalanobis
from soc.detect.strangeness.member import Member
from soc.detect.strangeness.svm import OneClass
from soc.detect.strangeness.tail import Tail
from soc.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Members and their weights; about: which rows it is for. by_size: signed logarithms first."""

    name: str
    about: str
    members: tuple[Member, ...]
    weights: tuple[float, ...]
    by_size: bool = False
    combination: Combination = Combination.Z_LOG


def tabular(lesinn: Lesinn, forest: Forest, weight: float) -> Profile:
    """Return the profile for tables with anomalies in their reference, with these options.

    weight: of LeSiNN, where the forest has 1.
    """
    return Profile(
        name="tabular-contaminated",
        about="tables whose reference holds anomalies too",
        members=(lesinn, forest),
        weights=(weight, 1.0),
    )


def consensus() -> Profile:
    """Return the consensus of isolation forest and LOF by votes, as notebooks like it.

    Here because people ask for it, not because it is good: on labelled tables it finds less than
    its isolation forest alone, as the benchmark shows. It wants the intersection of what two models
    flag, and "flagged" is a share that was chosen before: a tenth of the reference gets a vote of
    each, whether a tenth is strange or nothing. Compare before you use it.
    """
    return Profile(
        name="seed-consensus",
        about="comparison with isolation forest and LOF by votes; finds less than the others",
        members=(Forest(trees=100), Lof()),
        weights=(1.0, 1.0),
        combination=Combination.VOTES,
    )


TABULAR = tabular(Lesinn(sample=8, draws=100, trim=0.2), Forest(trees=50), 2.0)
ONCHAIN = Profile(
    name="onchain-skewed",
    about="amounts and counts that span many orders",
    members=(Tail(), Forest(trees=100)),
    weights=(1.0, 1.0),
    by_size=True,
)
BASELINE = Profile(
    name="clean-baseline",
    about="a reference that is known to be clean, such as rates of a quiet week",
    members=(Mahalanobis(), Tail()),
    weights=(1.0, 1.0),
)
MEMBERS: tuple[Member, ...] = (
    Lesinn(sample=8, draws=100),
    Forest(),
    Lof(),
    OneClass(),
    Tail(),
    Mahalanobis(),
)


def alone(member: Member) -> Profile:
    """Return a profile of *member* alone, with its name."""
    return Profile(
        name=member.name, about=f"{member.name} alone", members=(member,), weights=(1.0,)
    )


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (TABULAR, ONCHAIN, BASELINE, consensus(), *map(alone, MEMBERS))
    }
)


def profile_of(name: str) -> Profile:
    """Return the profile *name*; raises Refused, telling what there is."""
    if name in PROFILES:
        return PROFILES[name]
    close = get_close_matches(name, PROFILES, n=1)
    hint = f"did you mean {close[0]}?" if close else f"write one of {', '.join(PROFILES)}"
    raise Refused(f"there is no profile {name}: {hint}")
