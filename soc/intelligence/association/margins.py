"""What popularity alone explains: the bipartite configuration model.

Of all ways to give in which donors give to as many projects, and projects have as many donors, as
in the data on average, the model assumes nothing else: donor u gives to project i with probability
x_u y_i / (1 + x_u y_i), where x and y are such that all expected numbers are the observed ones.
F. Saracco, R. Di Clemente, A. Gabrielli, T. Squartini, "Randomizing bipartite networks: the case of
the World Trade Web", 2015; the same, "Inferring monopartite projections of bipartite networks: an
entropy-based approach", 2017, for the test of pairs.

Who gives to as many projects has the same x, so that the model is solved for each number once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soc.errors import Unfit
from soc.intelligence.carts import Flags, Places, Sparse

Matrix = npt.NDArray[np.float64]
MOST_STEPS, NEAR = 50_000, 1e-9


@dataclass(frozen=True, slots=True)
class Margins:
    """What is expected of each pair of projects.

    open_projects: the places of those that some donors gave to and some did not, among donors to
    whom the same applies; certain: how many of the others gave to each pair, whatever happens.
    expected: donors of both, of the open ones.
    """

    open_projects: Places
    open_donors: Places
    expected: Matrix


def margins(matrix: Sparse) -> Margins:
    """Return what the numbers of gifts of donors and projects explain; raises Unfit.

    Who gave to every project, and what every donor gave to, leaves nothing to chance: these are put
    aside first, again and again.
    """
    donors, projects = _open(matrix)
    if len(projects) < 2:  # noqa: PLR2004 - a pair
        raise Unfit(
            f"{matrix.shape[0]} donors and {matrix.shape[1]} projects: where everybody gave to "
            "everything, nothing can go together more than by chance"
        )
    part = matrix[donors][:, projects]
    of_donors, of_projects = part.sum(axis=1), part.sum(axis=0)
    kinds, number = np.unique(of_donors, return_counts=True)
    levels, place = np.unique(of_projects, return_inverse=True)
    chances = _solved(kinds, number, levels, np.bincount(place))[:, place]
    return Margins(projects, donors, (chances * number[:, None]).T @ chances)


def _open(matrix: Sparse) -> tuple[Places, Places]:
    donors, projects = (np.arange(size) for size in matrix.shape)
    while True:
        part = matrix[donors][:, projects]
        of_donors, of_projects = part.sum(axis=1), part.sum(axis=0)
        free_donors = _between(of_donors, len(projects))
        free_projects = _between(of_projects, len(donors))
        if free_donors.all() and free_projects.all():
            return donors, projects
        donors, projects = donors[free_donors], projects[free_projects]


def _between(numbers: Places, most: int) -> Flags:
    found: Flags = (numbers > 0) & (numbers < most)
    return found


def _solved(kinds: Places, of_kind: Places, levels: Places, of_level: Places) -> Matrix:
    """Return the chance that a donor of each kind gives to a project of each level."""
    total = float(kinds @ of_kind)
    x, y = kinds / np.sqrt(total), levels / np.sqrt(total)
    for _ in range(MOST_STEPS):
        new_x = kinds / ((of_level * y) / (1 + np.outer(x, y))).sum(axis=1)
        new_y = levels / ((of_kind * new_x)[:, None] / (1 + np.outer(new_x, y))).sum(axis=0)
        moved = max(np.abs(new_x / x - 1).max(), np.abs(new_y / y - 1).max())
        x, y = new_x, new_y
        if moved < NEAR:
            break
    chances: Matrix = np.outer(x, y) / (1 + np.outer(x, y))
    off = np.abs(chances @ of_level - kinds).max()
    if off > 0.01:  # noqa: PLR2004 - a hundredth of a gift
        raise Unfit(f"the model of popularity was not found: a donor's gifts are off by {off:.3g}")
    return chances
