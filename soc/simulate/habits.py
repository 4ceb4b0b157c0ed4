"""How people give: what an attacker imitates, and what a test compares."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from soc.simulate.values import Gift, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Sorted samples: amounts given, days between two gifts of a wallet, days of age at the first.

    A wallet's age counts from the first money it got.
    """

    amounts: tuple[float, ...]
    gaps: tuple[float, ...]
    ages: tuple[float, ...]


def habits_of(
    wallets: Iterable[str], gifts: Iterable[Gift], transfers: Iterable[Transfer]
) -> Habits:
    """Return the habits of *wallets* among all *gifts* and *transfers*."""
    asked = frozenset(wallets)
    times: dict[str, list[float]] = defaultdict(list)
    for gift in gifts:
        if gift.wallet in asked:
            times[gift.wallet].append(gift.at)
    born: dict[str, float] = {}
    for transfer in transfers:
        born[transfer.receiver] = min(transfer.at, born.get(transfer.receiver, transfer.at))
    return Habits(
        amounts=tuple(sorted(float(gift.amount) for gift in gifts if gift.wallet in asked)),
        gaps=tuple(sorted(gap for each in times.values() for gap in _gaps(sorted(each)))),
        ages=tuple(sorted(min(each) - born[who] for who, each in times.items() if who in born)),
    )


def _gaps(times: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def middle(sample: Sequence[float], low: float = 0.1, high: float = 0.9) -> tuple[float, ...]:
    """Return the values of a sorted *sample* between two of its quantiles."""
    return tuple(sample[int(low * len(sample)) : int(high * len(sample)) + 1])
