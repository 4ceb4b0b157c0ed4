"""Pairs of projects with more donors in common than popularity explains, at a false rate."""

from dataclasses import dataclass

import numpy as np

from soc.intelligence.association.margins import Matrix, margins
from soc.intelligence.carts import Carts, check

LEAST = 5
"""Pairs with fewer donors in common are not asked about."""
RATE = 0.01


@dataclass(frozen=True, slots=True)
class Pair:
    """Two projects, in the order of their names.

    expected: donors of both if only popularity counted. lift: how many times more there are.
    p: the chance of so many or more. q: the share of false ones among all with at most this p.
    """

    projects: tuple[str, str]
    observed: int
    expected: float
    lift: float
    p: float
    q: float


@dataclass(frozen=True, slots=True)
class Tested:
    """The pairs that stand out, surest first.

    possible: all there are. asked: those with enough donors in common. naive: of these, how many
    have more than the product of their shares, which is what others call a lift above 1.
    """

    pairs: tuple[Pair, ...]
    possible: int
    asked: int
    naive: int
    rate: float

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """The pairs by name."""
        return frozenset(pair.projects for pair in self.pairs)


def examine(carts: Carts, rate: float = RATE, least: int = LEAST) -> Tested:
    """Return the pairs that stand out at a rate of false ones; raises Unfit.

    The number of donors of both is a sum of independent chances. Its upper tail is taken as
    Poisson's, which is the wider one: fewer pairs stand out than should, never more.
    """
    from scipy.stats import poisson  # heavy: only where pairs are tested

    check(carts)
    model = margins(carts.matrix)
    part = carts.matrix[model.open_donors][:, model.open_projects]
    together = (part.T @ part).toarray()
    one, other = np.triu_indices(len(together), 1)
    enough = together[one, other] >= least
    places = one[enough], other[enough]
    observed, expected = together[places], model.expected[places]
    p_values = poisson.sf(observed - 1, expected)
    q_values = adjusted(p_values, len(one))
    donors = together.diagonal()
    product = donors[places[0]] * donors[places[1]] / len(model.open_donors)
    names = [carts.projects[place] for place in model.open_projects]
    pairs = [
        Pair(
            (names[places[0][n]], names[places[1][n]]),
            int(observed[n]),
            float(expected[n]),
            float(observed[n] / expected[n]),
            float(p_values[n]),
            float(q_values[n]),
        )
        for n in np.flatnonzero(q_values < rate)
    ]
    pairs.sort(key=lambda pair: (pair.p, pair.projects))
    naive = int(np.sum(observed > product))
    return Tested(tuple(pairs), len(one), len(observed), naive, rate)


def adjusted(p_values: Matrix, asked: int) -> Matrix:
    """Return the rate of false ones that each p stands for, of *asked* questions.

    Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", 1995. Questions without a p
    count as 1.
    """
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * asked / np.arange(1, len(p_values) + 1)
    found = np.empty(len(p_values))
    found[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return found
