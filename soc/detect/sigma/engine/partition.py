"""The rules for one origin of events, which share their questions and what is known of values."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from soc.detect.sigma.engine.column import Classes, columns_of
from soc.detect.sigma.engine.keywords import Keywords
from soc.detect.sigma.engine.resolver import MISSING, Resolver
from soc.detect.sigma.engine.tree import Hits, Questions
from soc.detect.sigma.event import Event
from soc.detect.sigma.rule import Rule

MOST_SIGNATURES = 200_000


class Decided(NamedTuple):
    """What a signature tells: rules that hold, and those that only the event decides."""

    holds: tuple[Rule, ...]
    is_open: tuple[Rule, ...]


NOTHING = Decided((), ())


class Partition:
    """Decides about events that are all for the same *rules*."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        questions = Questions()
        self._rules = [(rule, questions.tree(rule.condition)) for rule in rules]
        self._fields = tuple(questions.by_field)
        self._columns = columns_of(questions.by_field)
        self._keywords = Keywords(questions.keywords) if questions.keywords else None
        self._said = Classes()
        self._codes = [column.code for column in self._columns]
        self._resolver = Resolver(enumerate(self._fields))
        self._blank = [MISSING] * len(self._fields)
        self._known: dict[tuple[int, ...], Decided] = {}
        self._anchored: defaultdict[int, list[int]] = defaultdict(list)
        self._always: list[int] = []
        for place, (_, tree) in enumerate(self._rules):
            anchors = tree.anchors()
            for atom in anchors or ():
                self._anchored[atom].append(place)
            if anchors is None:
                self._always.append(place)

    def decide(self, document: Mapping[str, Any]) -> Decided:
        """Return which rules hold for *document*; raises what a predicate cannot digest."""
        if not self._rules:
            return NOTHING
        values = self._blank.copy()
        if self._resolver.read(document, values):
            signature = tuple(
                [code(value) for code, value in zip(self._codes, values, strict=True)]
            )
        else:
            event = Event(document)
            pairs = zip(self._columns, self._fields, strict=True)
            signature = tuple([column.code_of(event.find(name)) for column, name in pairs])
        if self._keywords:
            signature = (*signature, self._said.number(self._keywords.may_hold(document)))
        known = self._known.get(signature)
        return self._learn(signature) if known is None else known

    def _learn(self, signature: tuple[int, ...]) -> Decided:
        classes = [*(column.classes for column in self._columns), self._said]
        hits: Hits = frozenset().union(
            *(one.hits[code] for one, code in zip(classes, signature, strict=False))
        )
        candidates = {place for atom in hits for place in self._anchored.get(atom, ())}
        answers = [
            (rule, tree.holds(hits))
            for rule, tree in (self._rules[place] for place in sorted({*candidates, *self._always}))
        ]
        if len(self._known) >= MOST_SIGNATURES:
            self._known.clear()
        known = self._known[signature] = Decided(
            tuple(rule for rule, answer in answers if answer),
            tuple(rule for rule, answer in answers if answer is None),
        )
        return known
