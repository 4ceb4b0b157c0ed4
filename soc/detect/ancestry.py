"""Follow the money of a donor upwards, as it came before the first gift."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import NamedTuple

from soc.detect.money import UNKNOWN, Gifts, Graph, Name, Payment
from soc.model.value import micros

HUB_SHARE = 0.05
HUB_LEAST = 20
"""Below this many donors nobody is a hub: in a small round five in a hundred is one friend."""
TO_ONE_PROJECT = 0.8
DUST = 10
"""Whoever paid less than one part in so many of what was passed on paid for nothing."""
DEEPEST = 5
MOST_ABOVE = 100
"""Wallets above one donor that are looked at; of more, those that paid most."""
EVER = 2**63


class Source(NamedTuple):
    """Who paid: how much (0 if nobody says), and when last."""

    name: Name
    amount: int
    until: int

    def joined(self, other: "Source") -> "Source":
        """Return the payer of two wallets, as whoever funds it is judged most strictly."""
        if other.amount >= self.amount and other.until <= self.until:
            return self
        amount, until = min(self.amount, other.amount), max(self.until, other.until)
        return Source(self.name, amount, until)


class Ancestry:
    """Answers about one graph; each wallet's funders are worked out once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[tuple[Name, int, int], tuple[Source, ...]] = {}
        self.hubs = self._find_hubs()

    def above(self, donor: Name) -> dict[Name, int]:
        """Return from whom the money of *donor* came, each with how many hands away."""
        return self._climb(self._donor(donor))

    def topmost(self, distance: Mapping[Name, int]) -> Name:
        """Return who of several wallets funded all others; else the nearest by *distance*.

        So a circle, or a wallet with many payers, does not put the blame on any one of them.
        """
        names = sorted(distance)
        above = {name: self._climb(Source(name, 0, EVER)) for name in names[:MOST_ABOVE]}
        free = [
            name
            for name in above
            if not any(one in above[name] and name not in above.get(one, ()) for one in names)
        ]
        chosen = free if len(free) == 1 else names
        return min(chosen, key=lambda name: (distance[name], name))

    def _donor(self, name: Name) -> Source:
        gifts = self._graph.gifts[name]
        return Source(name, gifts.amount, micros(gifts.first))

    def _climb(self, start: Source) -> dict[Name, int]:
        found: dict[Name, int] = {}
        layer = [start]
        for depth in range(1, DEEPEST + 1):
            above: dict[Name, Source] = {}
            for wallet in layer:
                for one in self._sources(wallet):
                    if one.name == start.name or one.name in found or one.name in self.hubs:
                        continue
                    old = above.get(one.name)
                    above[one.name] = one if old is None else old.joined(one)
            layer = sorted(above.values(), key=lambda one: (-one.amount, one.name))
            layer = layer[: MOST_ABOVE - len(found)]
            found |= {one.name: depth for one in layer}
        return found

    def _sources(self, wallet: Source) -> tuple[Source, ...]:
        """Return who funded what *wallet* passed on: before it did so, and with more than dust.

        The smallest payers are dust as long as all of them together paid less than a tenth; so
        money does not hide by coming in eleven parts.
        """
        if wallet not in self._known:
            self._known[wallet] = tuple(self._count(wallet))
        return self._known[wallet]

    def _count(self, wallet: Source) -> list[Source]:
        timely: dict[Name, list[Payment]] = {}
        for one in self._graph.funders.get(wallet.name, ()):
            if one.at <= wallet.until:
                timely.setdefault(one.sender, []).append(one)
        sources, unsaid = [], []
        for sender, payments in timely.items():
            last = max(one.at for one in payments)
            if any(one.amount == UNKNOWN for one in payments):
                unsaid.append(Source(sender, 0, last))
            else:
                sources.append(Source(sender, sum(one.amount for one in payments), last))
        sources.sort(key=lambda one: (one.amount, one.name))
        paid = list(accumulate(one.amount for one in sources))
        dust = sum(so_far * DUST < wallet.amount for so_far in paid)
        return unsaid + sources[dust:]

    def _find_hubs(self) -> frozenset[Name]:
        """Return who funded many donors directly that do not all give to one project."""
        donors: Counter[Name] = Counter()
        given: dict[Name, Counter[str]] = {}
        for donor, gifts in self._graph.gifts.items():
            for one in self._sources(self._donor(donor)):
                donors[one.name] += 1
                given.setdefault(one.name, Counter()).update(gifts.projects)
        most = max(HUB_LEAST, HUB_SHARE * len(self._graph.gifts))
        many = (name for name, count in donors.items() if count > most)
        return frozenset(name for name in many if not is_to_one(given[name]))


def projects_of(members: Iterable[Name], gifts: Mapping[Name, Gifts]) -> Counter[str]:
    """Return how many gifts of *members* each project got."""
    given: Counter[str] = Counter()
    for name in members:
        given.update(gifts[name].projects)
    return given


def is_to_one(given: Counter[str]) -> bool:
    """Return whether nearly all gifts went to one project."""
    return max(given.values()) >= TO_ONE_PROJECT * given.total()
