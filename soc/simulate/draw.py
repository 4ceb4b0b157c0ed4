"""Draw addresses, amounts and moments from one seed: the same seed, the same round."""

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from math import log
from random import Random
from typing import TypeVar

T = TypeVar("T")

CENT = 10_000
"""The token has six decimals."""


class Draw:
    """A source of chance that never deals an address twice."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  a plan must be repeatable, not unguessable
        self._dealt: set[str] = set()

    def between(self, low: float, high: float) -> float:
        """Return a number from *low* to *high*."""
        return self._random.uniform(low, high)

    def count(self, low: int, high: int) -> int:
        """Return a whole number from *low* to *high*, both included."""
        return self._random.randint(low, high)

    def happens(self, chance: float) -> bool:
        """Tell whether something of this *chance* happens now."""
        return self._random.random() < chance

    def pick(self, things: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Return one of *things*, by their *weights* if given."""
        return self._random.choices(things, weights)[0]

    def some(self, things: Sequence[T], size: int) -> list[T]:
        """Return *size* different ones of *things*, in a random order."""
        return self._random.sample(things, size)

    def around(self, median: float, spread: float) -> float:
        """Return a positive number that is log-normal around *median*."""
        return self._random.lognormvariate(log(median), spread)

    def address(self) -> str:
        """Return a wallet's address that nobody has."""
        return self._once(lambda: f"0x{self._random.getrandbits(160):040x}")

    def tx_hash(self) -> str:
        """Return what could be the hash of a transaction."""
        return f"0x{self._random.getrandbits(256):064x}"

    def home_ip(self) -> str:
        """Return an address as private people have them, that nobody else has."""
        return self._once(
            lambda: str(IPv6Address(0x20010DB8 << 96 | self._random.getrandbits(64) << 16 | 1))
        )

    def office_ip(self, network: str) -> str:
        """Return a host of a documentation *network* like ``192.0.2``, that nobody else has."""
        return self._once(lambda: f"{network}.{self._random.randint(2, 254)}")

    def amount(self) -> int:
        """Return what a donor gives: mostly a few coins, now and then very much."""
        coins = self.around(12, 0.9)
        if self.happens(0.03):
            coins *= 6 * self._random.paretovariate(1.2)
        return round(min(max(coins, 1), 25_000) * 100) * CENT

    def _once(self, deal: Callable[[], str]) -> str:
        while (text := deal()) in self._dealt:
            pass
        self._dealt.add(text)
        return text
