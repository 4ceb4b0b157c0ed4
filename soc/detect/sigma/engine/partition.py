"""The rules for one origin of events, which share their questions and what is known of values."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

from soc.detect.sigma.engine.column import Classes
from soc.detect.sigma.engine.ground import Ground
from soc.detect.sigma.engine.resolver import MISSING, Resolver
from soc.detect.sigma.engine.tree import Hits
from soc.detect.sigma.event import Event
from soc.detect.sigma.rule import Rule

SIGNATURE = 400
"""Bytes that a signature takes, about."""


class Decided(NamedTuple):
    """What a signature tells: rules that hold, and those that only the event decides."""

    holds: tuple[Rule, ...]
    is_open: tuple[Rule, ...]


class Told(NamedTuple):
    """What the events of a partition had: ever, questions answered with yes; fields with values."""

    ever: set[int]
    fields: set[str]


NOTHING = Decided((), ())


class Partition:
    """Decides about events that are all for the same rules: those in *places*."""

    def __init__(self, places: Sequence[int], ground: Ground) -> None:
        self.rules = [ground.rules[place] for place in places]
        asked = dict.fromkeys(one for rule in self.rules for one in rule.asked)
        self._fields = tuple(one for one in asked if isinstance(one, str))
        self._columns = [ground.column(name) for name in self._fields]
        self._codes = [column.code for column in self._columns]
        words = [one for one in asked if isinstance(one, int)]
        self._keywords = ground.keywords(words) if words else None
        self._said = Classes(ground.spend)
        self._told = Told(set(), set())
        self._ground = ground
        ground.users.add(self)
        self._resolver = Resolver(enumerate(self._fields))
        self._blank = [MISSING] * len(self._fields)
        self._known: dict[tuple[int, ...], Decided] = {}
        self._anchored: defaultdict[int, list[int]] = defaultdict(list)
        self._always: list[int] = []
        for number, rule in enumerate(self.rules):
            for atom in rule.anchors or ():
                self._anchored[atom].append(number)
            if rule.anchors is None:
                self._always.append(number)

    def decide(self, document: Mapping[str, Any]) -> Decided:
        """Return which rules hold for *document*; raises what a predicate cannot digest."""
        if not self.rules:
            return NOTHING
        self._ground.make_room()
        signature = self._signature(document)
        if self._keywords:
            signature = (*signature, self._said.number(self._keywords.may_hold(document)))
        return self._decided(signature)

    def decide_all(
        self,
        shape: tuple[str, ...],
        documents: Sequence[Mapping[str, Any]],
        texts: Sequence[bytes] | None,
    ) -> list[Decided]:
        """Return what ``decide`` says of each of *documents*, all with the keys *shape*.

        texts: what they were written as, if it is known: that makes looking for words quick.
        """
        if not self.rules:
            return [NOTHING] * len(documents)
        self._ground.make_room()
        signatures = self._signatures(shape, documents)
        if self._keywords:
            said = map(self._said.number, self._keywords.may_hold_each(documents, texts))
            signatures = [(*one, number) for one, number in zip(signatures, said, strict=True)]
        return [
            self._learn(signature) if known is None else known
            for signature, known in zip(signatures, map(self._known.get, signatures), strict=True)
        ]

    def _signatures(
        self, shape: tuple[str, ...], documents: Sequence[Mapping[str, Any]]
    ) -> list[tuple[int, ...]]:
        keys = self._resolver.keys(shape)
        if keys is None:
            return list(map(self._signature, documents))
        size = len(documents)
        codes = [
            repeat(column.absent, size)
            if key is None
            else column.codes(list(map(itemgetter(key), documents)))
            for column, key in zip(self._columns, keys, strict=True)
        ]
        return list(zip(*codes, strict=True)) if codes else [()] * size

    def _signature(self, document: Mapping[str, Any]) -> tuple[int, ...]:
        values = self._blank.copy()
        if self._resolver.read(document, values):
            return tuple([code(value) for code, value in zip(self._codes, values, strict=True)])
        event = Event(document)
        pairs = zip(self._columns, self._fields, strict=True)
        return tuple([column.code_of(event.find(name)) for column, name in pairs])

    def _decided(self, signature: tuple[int, ...]) -> Decided:
        known = self._known.get(signature)
        return self._learn(signature) if known is None else known

    def told(self) -> Told:
        """Return what all signatures had up to now."""
        told = self._told
        for place, (name, column) in enumerate(zip(self._fields, self._columns, strict=True)):
            codes = {signature[place] for signature in self._known}
            told.ever.update(*(column.classes.hits[code] for code in codes))
            if codes - {column.absent}:
                told.fields.add(name)
        if self._keywords:
            codes = {signature[-1] for signature in self._known}
            told.ever.update(*(self._said.hits[code] for code in codes))
        return told

    def forget(self) -> None:
        """Forget all signatures, but not what they told."""
        self.told()
        self._known.clear()
        self._said = Classes(self._ground.spend)

    def _learn(self, signature: tuple[int, ...]) -> Decided:
        classes = [*(column.classes for column in self._columns), self._said]
        hits: Hits = frozenset().union(
            *(one.hits[code] for one, code in zip(classes, signature, strict=False))
        )
        candidates = {number for atom in hits for number in self._anchored.get(atom, ())}
        answers = [
            (one.rule, one.tree.holds(hits))
            for one in (self.rules[number] for number in sorted({*candidates, *self._always}))
        ]
        self._ground.spend(SIGNATURE)
        decided = Decided(
            tuple(rule for rule, answer in answers if answer),
            tuple(rule for rule, answer in answers if answer is None),
        )
        known = self._known[signature] = NOTHING if decided == NOTHING else decided
        return known
