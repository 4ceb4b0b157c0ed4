"""Score projects for a donor as of a moment: by the nearest donors, or by popularity alone."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soc.intelligence.carts import Carts, Places

Vector = npt.NDArray[np.float64]
NEAREST = 10


@dataclass(frozen=True, slots=True)
class Index:
    """Carts, and the places of their rows by donor and by project, each in the order of time."""

    carts: Carts
    by_donor: tuple[Places, ...]
    by_project: tuple[Places, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What was known when a donor chose.

    mine: projects given to before. popularity: donors of each project. near: the nearest donors.
    likeness: the cosine of each with the donor, falling. votes: how many of them gave to a project.
    weight: the sum of the likeness of those.
    """

    mine: Places
    popularity: Places
    near: Places
    likeness: Vector
    votes: Places
    weight: Vector

    @property
    def candidates(self) -> int:
        """How many projects can be suggested: somebody gave to them, but not this donor."""
        return int(np.sum(self.popularity > 0)) - len(self.mine)

    @property
    def by_neighbours(self) -> Places:
        """All candidates: most votes first; then likeness decides, then popularity, then name."""
        return self._ordered(self.votes + self.weight / (NEAREST + 1))

    @property
    def by_popularity(self) -> Places:
        """All candidates: most donors first, then by name."""
        return self._ordered(np.zeros(len(self.popularity)))

    def _ordered(self, scores: Vector) -> Places:
        told = np.where(self.popularity > 0, scores, -1.0)
        told[self.mine] = -1.0
        order = np.lexsort((np.arange(len(told)), -self.popularity, -told))
        return order[: self.candidates]


def index_of(carts: Carts) -> Index:
    """Return *carts* sorted to be asked about."""
    return Index(
        carts,
        _grouped(carts.donor, len(carts.wallets)),
        _grouped(carts.project, len(carts.projects)),
    )


def known(index: Index, donor: int | None, moment: int) -> Known:
    """Return what was known of *donor* from gifts before *moment*, in microseconds.

    Donors are alike by the cosine of the sets of projects they gave to, amounts aside. The ten
    nearest have a vote each; of donors who are equally alike, those who gave last.
    """
    carts = index.carts
    upto = int(np.searchsorted(carts.first, moment))
    popularity = np.bincount(carts.project[:upto], minlength=len(carts.projects))
    mine = carts.project[_before(index.by_donor[donor], upto)] if donor is not None else _NONE
    near, likeness = _nearest(index, donor, mine, upto)
    votes, weight = np.zeros(len(popularity), dtype=np.int64), np.zeros(len(popularity))
    for one, how in zip(near, likeness, strict=True):
        given = carts.project[_before(index.by_donor[one], upto)]
        votes[given] += 1
        weight[given] += how
    return Known(mine, popularity, near, likeness, votes, weight)


def _nearest(index: Index, donor: int | None, mine: Places, upto: int) -> tuple[Places, Vector]:
    carts = index.carts
    shared = np.zeros(len(carts.wallets))
    for project in mine:
        shared[carts.donor[_before(index.by_project[project], upto)]] += 1
    if donor is not None:
        shared[donor] = 0
    alike = np.flatnonzero(shared)
    degree = np.bincount(carts.donor[:upto], minlength=len(carts.wallets))
    likeness = shared[alike] / np.sqrt(degree[alike] * max(len(mine), 1))
    latest = np.zeros(len(carts.wallets), dtype=np.int64)
    latest[carts.donor[:upto]] = np.arange(upto)
    nearest = np.lexsort((-latest[alike], -likeness))[:NEAREST]
    return alike[nearest], likeness[nearest]


_NONE: Places = np.array([], dtype=np.int64)


def _grouped(of: Places, number: int) -> tuple[Places, ...]:
    """Return the places of rows of each of *number* groups, ascending."""
    order = np.argsort(of, kind="stable")
    return tuple(np.split(order, np.searchsorted(of[order], np.arange(1, number))))


def _before(rows: Places, upto: int) -> Places:
    return rows[: np.searchsorted(rows, upto)]
