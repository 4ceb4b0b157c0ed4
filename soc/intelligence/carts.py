"""Which donor first gave to which project, and when: what is known of tastes as of a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from soc.errors import Unfit
from soc.intelligence.view.gather import ask
from soc.intelligence.view.keep import View
from soc.model.value import micros

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Sparse = Any
"""A sparse matrix of SciPy; its package has no types."""
LEAST_DONORS, LEAST_PROJECTS = 20, 2


@dataclass(frozen=True)
class Carts:
    """One row per donor and project, in the order of the first gift between them.

    donor, project: places in *wallets* and *projects*. first: in microseconds. suspected: of each
    wallet, whether an alert named it that no verdict had cleared.
    """

    wallets: tuple[str, ...]
    projects: tuple[str, ...]
    donor: Places
    project: Places
    first: Places
    suspected: Flags

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def matrix(self) -> Sparse:
        """One row per donor, one column per project, 1 where there was a gift."""
        from scipy.sparse import csr_array  # heavy: only where carts are studied

        shape = len(self.wallets), len(self.projects)
        ones = np.ones(len(self), dtype=np.int64)
        return csr_array((ones, (self.donor, self.project)), shape=shape)

    def of(self, donors: Flags) -> "Carts":
        """Return the carts of *donors* alone; projects that nobody else gave to are left out."""
        kept = donors[self.donor]
        wallets, donor = np.unique(self.donor[kept], return_inverse=True)
        projects, project = np.unique(self.project[kept], return_inverse=True)
        return Carts(
            tuple(self.wallets[place] for place in wallets),
            tuple(self.projects[place] for place in projects),
            donor,
            project,
            self.first[kept],
            self.suspected[wallets],
        )


def carts(view: View, as_of: datetime) -> Carts:
    """Return the carts that were known at *as_of*, of gifts made before it."""
    rows = ask(
        _CARTS.format(moment=micros(as_of)), transactions=view.transactions, marks=view.marks
    )
    wallets, donor = _coded(rows["wallet"])
    projects, project = _coded(rows["project"])
    suspected = np.zeros(len(wallets), dtype=bool)
    suspected[donor] = rows["is_suspected"].to_numpy()
    return Carts(wallets, projects, donor, project, rows["first"].to_numpy(), suspected)


def of_sets(sets: Sequence[Sequence[str]]) -> Carts:
    """Return the carts of donors who gave to *sets* of projects, one after another."""
    pairs = [(f"{n:06d}", project) for n, each in enumerate(sets) for project in sorted(set(each))]
    wallets, donor = _coded(pa.chunked_array([pa.array([one for one, _ in pairs], pa.string())]))
    projects, project = _coded(pa.chunked_array([pa.array([one for _, one in pairs], pa.string())]))
    suspected = np.zeros(len(wallets), dtype=bool)
    return Carts(wallets, projects, donor, project, np.arange(len(pairs)), suspected)


def check(carts: Carts) -> None:
    """Raise Unfit, with counts and what is needed, if nothing can be said of *carts*."""
    donors, projects = len(carts.wallets), len(carts.projects)
    if projects < LEAST_PROJECTS:
        raise Unfit(f"gifts went to {projects} projects: at least {LEAST_PROJECTS} are needed")
    if donors < LEAST_DONORS:
        raise Unfit(f"too few donors: {donors}; at least {LEAST_DONORS} are needed")
    if len(carts) == donors:
        raise Unfit(f"each of {donors} donors gave to one project: nothing goes together")


def _coded(names: pa.ChunkedArray) -> tuple[tuple[str, ...], Places]:
    """Return the different names in their order, and the place of each."""
    found = pc.unique(names).sort()
    places = pc.index_in(names, found).to_numpy().astype(np.int64)
    return tuple(found.to_pylist()), places


_CARTS = """
WITH suspected AS (
  SELECT DISTINCT wallet FROM marks
  WHERE epoch_us(known) < {moment} AND (cleared IS NULL OR epoch_us(cleared) >= {moment})
), firsts AS (
  SELECT wallet, project, min(epoch_us(made)) AS first, min_by(tx_id, (made, tx_id)) AS tx_id
  FROM transactions WHERE epoch_us(made) < {moment} AND epoch_us(known) < {moment}
  GROUP BY wallet, project
)
SELECT firsts.wallet AS wallet, project, first, suspected.wallet IS NOT NULL AS is_suspected
FROM firsts LEFT JOIN suspected USING (wallet) ORDER BY first, tx_id
"""
