"""The rules for one origin of events, which share their questions and what is known of values."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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


NONE: Hits = frozenset()
NOTHING = Decided((), ())


class Partition:
    """Decides about events that are all for the same rules: those in *places*."""

    def __init__(self, places: Sequence[int], ground: Ground) -> None:
        self.rules = [ground.rules[place] for place in places]
        asked = dict.fromkeys(one for rule in self.rules for one in rule.asked)
        self._fields = tuple(one for one in asked if isinstance(one, str))
        self._columns = [ground.column(name) for name in self._fields]
        self._codes = [column.code for column in self._columns]
        numbers = [one for one in asked if isinstance(one, int)]
        self._keywords, self._references = ground.keywords(numbers), ground.references(numbers)
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
        said = self._said.number(self._may_hold(document))
        signature = (*self._signature(document), said)
        known = self._known.get(signature)
        return self._learn(signature) if known is None else known

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
        keys = self._resolver.keys(shape)
        if keys is None:
            return list(map(self.decide, documents))
        signatures = self._signatures(keys, documents, self._said_of(shape, documents, texts))
        return [
            self._learn(signature) if known is None else known
            for signature, known in zip(signatures, map(self._known.get, signatures), strict=True)
        ]

    def _signatures(
        self,
        keys: Sequence[str | None],
        documents: Sequence[Mapping[str, Any]],
        said: Iterable[int],
    ) -> list[tuple[int, ...]]:
        size = len(documents)
        codes = [
            repeat(column.absent, size)
            if key is None
            else column.codes(list(map(itemgetter(key), documents)))
            for column, key in zip(self._columns, keys, strict=True)
        ]
        return list(zip(*codes, said, strict=True))

    def _said_of(
        self,
        shape: tuple[str, ...],
        documents: Sequence[Mapping[str, Any]],
        texts: Sequence[bytes] | None,
    ) -> Iterable[int]:
        """Return the class of what each of *documents* may say besides its fields' values."""
        parts: list[list[frozenset[int]]] = []
        if self._keywords:
            parts.append(self._keywords.may_hold_each(documents, texts))
        if self._references:
            parts.append(self._references.may_hold_each(shape, documents))
        if not parts:
            return repeat(self._said.number(NONE), len(documents))
        whole = parts[0] if len(parts) == 1 else map(frozenset.union, *parts)
        return list(map(self._said.number, whole))

    def _may_hold(self, document: Mapping[str, Any]) -> Hits:
        words = self._keywords.may_hold(document) if self._keywords else NONE
        alike = self._references.hold(Event(document)) if self._references else NONE
        return words | alike

    def _signature(self, document: Mapping[str, Any]) -> tuple[int, ...]:
        values = self._blank.copy()
        if self._resolver.read(document, values):
            return tuple([code(value) for code, value in zip(self._codes, values, strict=True)])
        event = Event(document)
        pairs = zip(self._columns, self._fields, strict=True)
        return tuple([column.code_of(event.find(name)) for column, name in pairs])

    def told(self) -> Told:
        """Return what all signatures had up to now."""
        told = self._told
        for place, (name, column) in enumerate(zip(self._fields, self._columns, strict=True)):
            codes = {signature[place] for signature in self._known}
            told.ever.update(*(column.classes.hits[code] for code in codes))
            if codes - {column.absent}:
                told.fields.add(name)
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
