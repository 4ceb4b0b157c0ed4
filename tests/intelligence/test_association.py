"""What goes together beyond popularity is found; what popularity explains is not."""

import sys
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import root

from soc.errors import Refused, Unfit
from soc.intelligence.association.margins import margins
from soc.intelligence.association.pairs import adjusted, examine
from soc.intelligence.association.rules import Search, mine
from soc.intelligence.association.shuffle import shuffled
from soc.intelligence.carts import Carts, of_sets
from soc.simulate import SMALL, Size, plan
from tests.intelligence.tastes import crowd

ROUND = Size(donors=250, payroll=62, older=24, sybils=42, visitors=0, hammering=30, guesses=12)
COLLUDING = ("p013", "p021", "p029")


def of_round(seed: int, size: Size = ROUND) -> Carts:
    sets: dict[str, set[str]] = {}
    for gift in plan(seed, size).gifts:
        sets.setdefault(gift.wallet, set()).add(gift.project)
    return of_sets([sorted(one) for one in sets.values()])


def sizes(carts: Carts) -> tuple[list[int], list[int]]:
    return sorted(carts.matrix.sum(axis=1)), sorted(carts.matrix.sum(axis=0))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_shuffled_rounds_no_pair_stands_out(seed: int) -> None:
    mixed = [shuffled(of_round(seed), draw) for draw in range(4)]

    assert [len(examine(one).pairs) for one in mixed] == [0] * 4
    assert sum(examine(one).naive for one in mixed) > 0


def test_many_popular_projects_make_rules_and_no_pairs() -> None:
    carts = shuffled(crowd(400, 40), 1)
    found = examine(carts)
    rules = mine(carts, found.names)

    assert found.pairs == ()
    assert (found.naive, rules.ungated) == (found.naive, rules.ungated) > (100, 100)
    assert rules.rules == ()


def test_planted_collusion_is_found_with_its_triples_and_nothing_else() -> None:
    carts = crowd(400, 40, colluding=COLLUDING, wallets=40)
    found = examine(carts)
    mined = mine(carts, found.names)

    wanted = {("p013", "p021"), ("p013", "p029"), ("p021", "p029")}
    assert found.names == wanted
    assert all(pair.observed > 2 * pair.expected and pair.q < 0.01 for pair in found.pairs)
    assert {tuple(sorted((*rule.given, rule.then))) for rule in mined.rules} == {
        *wanted,
        COLLUDING,
    }
    assert mined.ungated > 10 * len(mined.rules)


def test_both_searches_find_the_same_rules() -> None:
    carts = crowd(200, 30, colluding=COLLUDING, wallets=30)
    gate = examine(carts).names

    found = [mine(carts, gate, 0.05, search) for search in Search]
    assert [one.ungated for one in found] == [found[0].ungated] * 2
    assert {rule.given for rule in found[0].rules} == {rule.given for rule in found[1].rules}


def test_shuffling_keeps_every_number_and_forgets_the_rest() -> None:
    carts = crowd(200, 20, colluding=COLLUDING, wallets=40)
    mixed = shuffled(carts, 5)

    assert sizes(mixed) == sizes(carts)
    assert (mixed.matrix != carts.matrix).sum() > 0
    assert not examine(mixed).pairs


def test_margins_are_those_of_the_model_solved_donor_by_donor() -> None:
    matrix = of_sets(["abc", "ab", "a", "bd", "acd", "d"]).matrix.toarray()
    rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)

    def off(logs: np.ndarray) -> np.ndarray:
        ratio = np.exp(np.add.outer(logs[: len(rows)], logs[len(rows) :]))
        chance = ratio / (1 + ratio)
        return np.r_[chance.sum(axis=1) - rows, chance.sum(axis=0) - columns]

    logs = root(off, np.zeros(len(rows) + len(columns)), method="lm").x
    ratio = np.exp(np.add.outer(logs[: len(rows)], logs[len(rows) :]))
    chance = ratio / (1 + ratio)

    expected = margins(of_sets(["abc", "ab", "a", "bd", "acd", "d"]).matrix).expected
    off_diagonal = ~np.eye(len(columns), dtype=bool)
    assert expected[off_diagonal] == pytest.approx((chance.T @ chance)[off_diagonal], rel=1e-4)


def test_who_gave_to_everything_and_what_everybody_gave_to_change_nothing() -> None:
    sets: list[Sequence[str]] = [*_rows(crowd(200, 30, colluding=COLLUDING, wallets=30))]
    every = sorted({project for each in sets for project in each})
    plain = examine(of_sets(sets))
    more = examine(of_sets([(*one, "for all") for one in [*sets, every, every]]))

    assert [(one.projects, one.expected) for one in more.pairs] == [
        (one.projects, pytest.approx(one.expected)) for one in plain.pairs
    ]


def _rows(carts: Carts) -> list[tuple[str, ...]]:
    dense = carts.matrix.toarray()
    return [tuple(np.array(carts.projects)[row > 0].tolist()) for row in dense]


def test_rates_are_those_of_benjamini_and_hochberg() -> None:
    p = np.array([0.03, 0.001, 0.02, 0.5])

    assert adjusted(p, 4).tolist() == pytest.approx([0.04, 0.004, 0.04, 0.5])
    assert adjusted(p, 8).tolist() == pytest.approx([0.08, 0.008, 0.08, 1.0])
    assert adjusted(p[:0], 4).tolist() == []


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        pytest.param([["a"]] * 50, "gifts went to 1 projects: at least 2", id="one project"),
        pytest.param([["a", "b"]] * 19, "too few donors: 19; at least 20", id="few donors"),
        pytest.param([["a"], ["b"]] * 20, "each of 40 donors gave to one project", id="no pairs"),
        pytest.param([["a", "b"]] * 20, "20 donors and 2 projects: where everybody", id="all"),
        pytest.param([], "gifts went to 0 projects", id="nothing"),
    ],
)
def test_what_cannot_be_said_is_refused_with_counts(sets: list[list[str]], words: str) -> None:
    with pytest.raises(Unfit, match=words):
        examine(of_sets(sets))


def test_rules_refuse_what_they_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    carts = of_round(1, SMALL)
    with pytest.raises(Refused, match="write a share"):
        mine(carts, (), support=2)
    with pytest.raises(Unfit, match="2001 projects: rules are mined of at most 2000"):
        mine(of_sets([[f"p{n}" for n in range(2_001)]]), ())

    # An installation without the extra, which this one has.
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(Refused, match=r"pip install commonwatch\[ml\]"):
        mine(carts, ())
