"""Shuffle who gives to what; every donor and every project keeps its number of gifts."""

import numpy as np

from soc.intelligence.carts import Carts, of_sets

TRADES = 10
"""For each donor; five are enough to forget where one began."""


def shuffled(carts: Carts, seed: int) -> Carts:
    """Return carts in which nothing goes together, and popularity is what it was.

    Two donors at a time put what only one of them gave to together, and deal it out again, each as
    much as before. G. Strona and others, "A fast and unbiased procedure to randomize ecological
    binary matrices with fixed row and column totals", 2014.
    """
    rng = np.random.default_rng(seed)
    sets = [set[str]() for _ in carts.wallets]
    for donor, project in zip(carts.donor.tolist(), carts.project.tolist(), strict=True):
        sets[donor].add(carts.projects[project])
    for one, other in rng.integers(len(sets), size=(TRADES * len(sets), 2)).tolist():
        if one != other:
            _trade(sets, one, other, rng)
    return of_sets([sorted(each) for each in sets])


def _trade(sets: list[set[str]], one: int, other: int, rng: np.random.Generator) -> None:
    both = sets[one] & sets[other]
    pool = sorted(sets[one] ^ sets[other])
    number = len(sets[one]) - len(both)
    if 0 < number < len(pool):
        dealt = [pool[place] for place in rng.permutation(len(pool))]
        sets[one], sets[other] = both.union(dealt[:number]), both.union(dealt[number:])
