"""Carts of donors whose tastes are known, for tests."""

from collections.abc import Sequence

import numpy as np

from soc.intelligence.carts import Carts, of_sets


def crowd(
    donors: int,
    projects: int,
    *,
    colluding: Sequence[str] = (),
    wallets: int = 0,
    seed: int = 7,
) -> Carts:
    """Return donors who choose by popularity, and *wallets* that give to *colluding* as well."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(2, projects + 2) ** 0.8
    sets = []
    for donor in range(donors):
        number = min(int(rng.lognormal(1.1, 0.9)) + 1, projects - 1)
        chosen = rng.choice(projects, number, replace=False, p=shares / shares.sum())
        own = [f"p{place:03d}" for place in chosen.tolist()]
        sets.append([*own, *(colluding if donor < wallets else ())])
    return of_sets(sets)
