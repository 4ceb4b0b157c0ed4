"""Rules such as "who gives to A and B also gives to C", kept only if every pair in them stands out.

Itemsets and rules are mlxtend's, of the extra ml. By themselves they tell popularity: what many
give to goes together with everything.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from itertools import combinations
from typing import Any

from soc.errors import Refused, Unfit
from soc.intelligence.association.pairs import LEAST
from soc.intelligence.carts import Carts

SUPPORT = 0.02
LONGEST = 3
MOST_PROJECTS = 2_000


class Search(StrEnum):
    """How itemsets are found: both find the same ones, FP-growth sooner."""

    APRIORI = "apriori"
    FP_GROWTH = "fp-growth"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who gives to all of *given* also gives to *then*.

    support: the share of donors who do both. confidence: of those who give to *given*, the share
    who do. lift: how many times more than of all donors; popularity is not taken out of it.
    """

    given: tuple[str, ...]
    then: str
    donors: int
    support: float
    confidence: float
    lift: float


@dataclass(frozen=True, slots=True)
class Mined:
    """Rules that were kept, and how many there are without the gate, with a lift above 1."""

    rules: tuple[Rule, ...]
    ungated: int
    support: float


def is_installed() -> bool:
    """Return whether mlxtend is: the extra ml."""
    return find_spec("mlxtend") is not None


def mine(
    carts: Carts,
    gate: Iterable[tuple[str, str]],
    support: float = SUPPORT,
    search: Search = Search.FP_GROWTH,
) -> Mined:
    """Return the rules of two and three projects all of whose pairs are in *gate*.

    Raises Refused without mlxtend, and Unfit for more projects than fit.
    """
    if not is_installed():
        raise Refused("rules need mlxtend: pip install commonwatch[ml], or ask for --pairs-only")
    if not 0 < support < 1:
        raise Refused("--support: write a share above 0 and below 1, such as 0.02")
    if len(carts.projects) > MOST_PROJECTS:
        raise Unfit(f"{len(carts.projects)} projects: rules are mined of at most {MOST_PROJECTS}")
    least = max(support, LEAST / len(carts.wallets))
    found = list(_rules(carts, least, search))
    allowed = frozenset(gate)
    kept = [rule for rule in found if all(pair in allowed for pair in _pairs(rule))]
    kept.sort(key=lambda rule: (-rule.lift, rule.given, rule.then))
    return Mined(tuple(kept), len(found), least)


def _pairs(rule: Rule) -> Iterator[tuple[str, ...]]:
    return combinations(sorted((*rule.given, rule.then)), 2)


def _rules(carts: Carts, support: float, search: Search) -> Iterator[Rule]:
    from mlxtend.frequent_patterns import apriori, association_rules, fpgrowth  # the extra ml

    grow = apriori if search is Search.APRIORI else fpgrowth
    sets = grow(_one_hot(carts), min_support=support, use_colnames=True, max_len=LONGEST)
    if sets.empty or (sets["itemsets"].map(len) == 1).all():
        return
    donors = len(carts.wallets)
    for row in association_rules(sets, metric="lift", min_threshold=1).itertuples():
        if len(row.consequents) == 1 and row.lift > 1:
            yield Rule(
                tuple(sorted(row.antecedents)),
                next(iter(row.consequents)),
                round(row.support * donors),
                float(row.support),
                float(row.confidence),
                float(row.lift),
            )


def _one_hot(carts: Carts) -> Any:  # noqa: ANN401 - a DataFrame of pandas, for mlxtend alone
    from pandas import DataFrame  # heavy: only where rules are mined

    return DataFrame(carts.matrix.toarray().astype(bool), columns=list(carts.projects))
