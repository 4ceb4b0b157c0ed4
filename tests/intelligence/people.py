"""Views of users who give by habit: who gave often gives again, more or less."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache

import numpy as np

from soc.intelligence.view.keep import View
from tests.intelligence.gifts import MINED, SAID, Told, view

HOUR = 3_600.0
WINDOW = timedelta(hours=6)


@cache
def people(users: int = 120, signal: bool = True, seed: int = 1) -> View:
    """Return two days of gifts. signal: each has a rate of their own; else nobody has."""
    return view(list(_gifts(users, signal, seed)))


def _gifts(users: int, signal: bool, seed: int) -> Iterator[Told]:
    rng = np.random.default_rng(seed)
    number = 0
    for user in range(1, users + 1):
        rate = rng.gamma(0.7, 6.0) + 0.5 if signal else 5.0
        begin = rng.uniform(0, 24) * HOUR
        times = begin + np.sort(rng.uniform(0, 48 * HOUR - begin, rng.poisson(rate) + 1))
        size = rng.lognormal(2, 0.8)
        for at in times:
            number += 1
            told = Told(
                f"0x{number:x}",
                SAID,
                at=float(at),
                wallet=user,
                project=f"p{rng.integers(12)}",
                amount=str(max(1, int(size * rng.lognormal(0, 0.4)))),
                round=f"r{rng.integers(2)}",
            )
            yield told
            if rng.random() < 0.9:
                late = float(rng.uniform(1, 40))
                yield told._replace(dataset=MINED, at=told.at + float(rng.uniform(1, 9)), late=late)
