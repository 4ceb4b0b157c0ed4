"""Rule out words that a rule looks for anywhere in an event: most events have none of them.

The event is looked through once, as JSON: whatever stands in a value stands there too, escaped as
JSON escapes it. What is found may stand elsewhere, in a key for instance: then the event decides.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import re2
from ahocorasick_rs import AhoCorasick, Implementation

from soc.detect.sigma.condition import Keyword
from soc.detect.sigma.predicate import Contains, EndsWith, Equals, Predicate, StartsWith
from soc.model.text import fold

NUMERIC = frozenset("0123456789e+-.")
"""A number may be spelt otherwise in JSON than rules see it."""
NOT_ASCII = r"[\x80-\xff]"
ESCAPED = r"(?:^|[^\\])(?:\\\\)*\\[u/]"
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON cannot hold."""


class Keywords:
    """Words of several questions, by number."""

    def __init__(self, asked: Mapping[int, Keyword]) -> None:
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
        self._doubtful = _doubtful(needles)
        self._automaton = (
            AhoCorasick(list(needles), implementation=Implementation.DFA) if needles else None
        )

    def may_hold_each(
        self, documents: Sequence[Mapping[str, Any]], texts: Sequence[bytes] | None
    ) -> list[frozenset[int]]:
        """Return what ``may_hold`` does for each of *documents*, written as *texts*."""
        always = frozenset(self._always)
        if self._automaton is None:
            return [always] * len(documents)
        if texts is None or self._doubtful is None:
            return list(map(self.may_hold, documents))
        if self._doubtful.search(b"\n".join(texts)) is None:
            return [always] * len(documents)
        return [
            self.may_hold(document) if self._doubtful.search(text) else always
            for document, text in zip(documents, texts, strict=True)
        ]

    def may_hold(self, document: Mapping[str, Any]) -> frozenset[int]:
        """Return the questions that *document* may answer with yes; all others it does not."""
        if self._automaton is None:
            return frozenset(self._always)
        text = fold(orjson.dumps(document).decode())
        seen = self._automaton.find_matches_as_indexes(text, overlapping=True)
        found = (self._askers[which] for which in {one for one, _, _ in seen})
        return frozenset(self._always.union(*found))


def _doubtful(needles: Iterable[str]) -> Any:  # noqa: ANN401 - re2 has no types
    """Return what finds in a JSON text what may hold one of *needles*; None if they are too many.

    Also doubtful is what is not ASCII, and an escape instead of which a character may stand.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    words = [re2.escape(needle) for needle in needles if needle.isascii()]
    try:
        return re2.compile("|".join([*words, NOT_ASCII, ESCAPED]).encode(), options)
    except re2.error:
        return None


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
