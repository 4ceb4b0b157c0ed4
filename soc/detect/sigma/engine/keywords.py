"""Rule out words that a rule looks for anywhere in an event: most events have none of them.

The event is looked through once, as JSON: whatever stands in a value stands there too, escaped as
JSON escapes it. What is found may stand elsewhere, in a key for instance: then the event decides.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import orjson
from ahocorasick_rs import AhoCorasick, Implementation

from soc.detect.sigma.condition import Keyword
from soc.detect.sigma.engine.doubt import Doubt
from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.engine.written import Written
from soc.detect.sigma.predicate import Contains, EndsWith, Equals, Predicate, StartsWith
from soc.model.text import fold

NUMERIC = frozenset("0123456789e+-.")
"""A number may be spelt otherwise in JSON than rules see it."""
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON cannot hold."""


class Keywords:
    """Words of several questions, by number."""

    def __init__(self, asked: Mapping[int, Keyword], databases: Databases) -> None:
        self._always: set[int] = set()
        needles: defaultdict[str, list[int]] = defaultdict(list)
        for number, keyword in asked.items():
            words = [word for one in keyword.predicates for word in _words(one)]
            if not words or not all(map(_can_be_found, words)):
                self._always.add(number)
                continue
            for word in words:
                needles[_escaped(fold(word))].append(number)
        self._askers = list(needles.values())
        self._doubt = Doubt(needles, databases) if needles else None
        self._automaton = (
            AhoCorasick(list(needles), implementation=Implementation.DFA) if needles else None
        )

    def may_hold_each(self, written: Written) -> list[frozenset[int]]:
        """Return what ``may_hold`` does for each of the events that are *written*."""
        always = frozenset(self._always)
        found = [always] * len(written.places)
        if self._doubt is None:
            return found
        if written.texts is None or not self._doubt.is_told:
            return list(map(self.may_hold, written.documents()))
        for index in self._doubt.among(written.texts):
            found[index] = self.may_hold(written.document(index))
        return found

    def may_hold(self, document: Mapping[str, Any]) -> frozenset[int]:
        """Return the questions that *document* may answer with yes; all others it does not."""
        if self._automaton is None:
            return frozenset(self._always)
        text = fold(orjson.dumps(document).decode())
        seen = self._automaton.find_matches_as_indexes(text, overlapping=True)
        found = (self._askers[which] for which in {one for one, _, _ in seen})
        return frozenset(self._always.union(*found))


def _words(predicate: Predicate) -> tuple[str, ...]:
    """Return literals of which a value must have one; an empty one if that is not known."""
    match predicate:
        case Equals(needles):
            return tuple(needles)
        case Contains(needles) | StartsWith(needles) | EndsWith(needles):
            return needles
    return ("",)


def _can_be_found(word: str) -> bool:
    return not NUMERIC.issuperset(word) and not SURROGATE.search(word)


def _escaped(word: str) -> str:
    return orjson.dumps(word).decode()[1:-1]
