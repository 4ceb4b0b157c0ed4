"""The rules for one origin of events, which share their questions and what is known of values."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from soc.detect.sigma.engine.column import Classes, Column
from soc.detect.sigma.engine.ground import Ground
from soc.detect.sigma.engine.references import Values
from soc.detect.sigma.engine.resolver import MISSING, Path, Resolver
from soc.detect.sigma.engine.tree import Hits, may_hold
from soc.detect.sigma.engine.written import Written
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
        self.fields = tuple(one for one in asked if isinstance(one, str))
        self._columns = [ground.column(name) for name in self.fields]
        self._codes = [column.code for column in self._columns]
        numbers = [one for one in asked if isinstance(one, int)]
        self._keywords, self._references = ground.keywords(numbers), ground.references(numbers)
        self._open: Hits = frozenset(numbers)
        self._said = Classes(ground.spend)
        self._told = Told(set(), set())
        self._ground = ground
        ground.users.add(self)
        self._resolver = Resolver(enumerate(self.fields))
        compared = self._references.fields if self._references else ()
        self._read = tuple(dict.fromkeys((*self.fields, *compared)))
        self._wide = Resolver(enumerate(self._read))
        self._blank = [MISSING] * len(self.fields)
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

    def paths(self, document: Mapping[str, Any]) -> tuple[Path | None, ...] | None:
        """Return where ``decide_all`` wants the values of events like *document*.

        None stands for a field that they do not have. Returns None altogether where a field may
        stand in more than one place: then ``decide`` each.
        """
        return self._wide.paths(document)

    def decide_all(self, values: Sequence[Values | None], written: Written) -> list[Decided]:
        """Return what ``decide`` says of each of the events that are *written*.

        values: what stands in them under each of the ``paths``.
        """
        self._ground.make_room()
        size = len(written.places)
        codes = [
            repeat(column.absent, size) if some is None else column.codes(some)
            for column, some in zip(self._columns, values, strict=False)
        ]
        signatures = list(zip(*codes, self._said_of(values, written), strict=True))
        return [
            self._learn(signature) if known is None else known
            for signature, known in zip(signatures, map(self._known.get, signatures), strict=True)
        ]

    @property
    def columns(self) -> list[tuple[str, Column]]:
        """Return each field with its column."""
        return list(zip(self.fields, self._columns, strict=True))

    def make_room(self) -> None:
        """Forget what is known, if it is too much: numbers of classes mean nothing then."""
        self._ground.make_room()

    def decide_known(self, classes: Mapping[str, int]) -> Decided:
        """Return what can be said of an event whose fields have these *classes*.

        Of all other fields, and of what stands anywhere in the event, nothing is known.
        """
        codes = (classes.get(name, column.unknown) for name, column in self.columns)
        signature = (*codes, self._said.number(self._open))
        known = self._known.get(signature)
        return self._learn(signature) if known is None else known

    def _said_of(self, values: Sequence[Values | None], written: Written) -> Iterable[int]:
        """Return the class of what each event may say besides its fields' values."""
        size = len(written.places)
        parts: list[list[Hits]] = []
        if self._keywords:
            parts.append(self._keywords.may_hold_each(written))
        if self._references:
            named = zip(self._read, values, strict=True)
            there = {name: some for name, some in named if some is not None}
            parts.append(self._references.may_hold_each(there, size))
        if not parts:
            return repeat(self._said.number(NONE), size)
        whole = parts[0] if len(parts) == 1 else list(map(frozenset.union, *parts))
        numbers = {hits: self._said.number(hits) for hits in set(whole)}
        return map(numbers.__getitem__, whole)

    def _may_hold(self, document: Mapping[str, Any]) -> Hits:
        words = self._keywords.may_hold(document) if self._keywords else NONE
        alike = self._references.hold(Event(document)) if self._references else NONE
        return words | alike

    def _signature(self, document: Mapping[str, Any]) -> tuple[int, ...]:
        values = self._blank.copy()
        if self._resolver.read(document, values):
            return tuple([code(value) for code, value in zip(self._codes, values, strict=True)])
        event = Event(document)
        pairs = zip(self._columns, self.fields, strict=True)
        return tuple([column.code_of(event.find(name)) for column, name in pairs])

    def told(self) -> Told:
        """Return what all signatures had up to now."""
        told = self._told
        for place, (name, column) in enumerate(zip(self.fields, self._columns, strict=True)):
            codes = {signature[place] for signature in self._known}
            told.ever.update(*(column.classes.hits[code] for code in codes - {column.unknown}))
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
        hits, unknown = self._answers(signature)
        asked = hits | unknown if unknown else hits
        candidates = {number for atom in asked for number in self._anchored.get(atom, ())}
        answers = [
            (
                one.rule,
                may_hold(one.tree, hits, unknown) if unknown else one.tree.holds(hits),
            )
            for one in (self.rules[number] for number in sorted({*candidates, *self._always}))
        ]
        self._ground.spend(SIGNATURE)
        decided = Decided(
            tuple(rule for rule, answer in answers if answer),
            tuple(rule for rule, answer in answers if answer is None),
        )
        known = self._known[signature] = NOTHING if decided == NOTHING else decided
        return known

    def _answers(self, signature: tuple[int, ...]) -> tuple[Hits, Hits]:
        """Return the questions that *signature* answers with yes, and those it does not answer."""
        pairs = list(zip(self._columns, signature, strict=False))
        said = self._said.hits[signature[-1]]
        known = (column.classes.hits[code] for column, code in pairs if code != column.unknown)
        unknown = [column.classes.hits[code] for column, code in pairs if code == column.unknown]
        return said.union(*known), NONE.union(*unknown)
