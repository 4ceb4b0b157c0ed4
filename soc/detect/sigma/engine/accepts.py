"""Ask one value many questions at once: needles of all rules are looked for in a single pass."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property

from ahocorasick_rs import AhoCorasick

from soc.detect.sigma.event import Scalar
from soc.detect.sigma.predicate import (
    Contains,
    EndsWith,
    Equals,
    Number,
    Predicate,
    StartsWith,
)

BEGIN, END = "\x00", "\x01"
"""Stand around a text, so that what it begins and ends with is something that it contains."""

Asked = tuple[int, Predicate]
"""A question and who asks it."""


class Needles:
    """Literals that are looked for in texts, each for those who ask for it."""

    def __init__(self) -> None:
        self._whole: defaultdict[str, list[int]] = defaultdict(list)
        self._parts: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, who: int, predicate: Predicate) -> bool:
        """Take over what *predicate* asks; return whether that could be done."""
        match predicate:
            case Equals(needles):
                for needle in needles:
                    self._whole[needle].append(who)
            case StartsWith(needles) if _are_plain(needles):
                self._add_parts(who, [BEGIN + needle for needle in needles])
            case EndsWith(needles) if _are_plain(needles):
                self._add_parts(who, [needle + END for needle in needles])
            case Contains(needles) if all(needles) and _are_plain(needles):
                self._add_parts(who, needles)
            case _:
                return False
        return True

    def found(self, text: str) -> Iterator[list[int]]:
        """Yield who asks for a literal that *text* has; some more than once."""
        if (whole := self._whole.get(text)) is not None:
            yield whole
        if self._parts:
            seen = self._automaton.find_matches_as_indexes(f"{BEGIN}{text}{END}", overlapping=True)
            for which in {one for one, _, _ in seen}:
                yield self._askers[which]

    def _add_parts(self, who: int, needles: Iterable[str]) -> None:
        for needle in needles:
            self._parts[needle].append(who)

    @cached_property
    def _automaton(self) -> AhoCorasick:
        return AhoCorasick(list(self._parts))

    @cached_property
    def _askers(self) -> list[list[int]]:
        return list(self._parts.values())


class Accepts:
    """The questions that are asked about one value of a field."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self._asked = tuple(asked)
        self._folded, self._cased = Needles(), Needles()
        self._numbers: defaultdict[float, list[int]] = defaultdict(list)
        self._others: list[Asked] = []
        for who, predicate in self._asked:
            needles = self._cased if getattr(predicate, "cased", False) else self._folded
            if isinstance(predicate, Number):
                self._numbers[predicate.number].append(who)
            elif not needles.add(who, predicate):
                self._others.append((who, predicate))

    def of(self, value: Scalar) -> set[int]:
        """Return who gets a yes; raises what a predicate raises that cannot digest *value*."""
        if BEGIN in value.text or END in value.text:
            return {who for who, predicate in self._asked if predicate.accepts(value)}
        yes = {who for who, predicate in self._others if predicate.accepts(value)}
        yes.update(*self._folded.found(value.folded), *self._cased.found(value.text))
        if self._numbers and value.number is not None:
            yes.update(self._numbers.get(value.number, ()))
        return yes


def _are_plain(needles: Iterable[str]) -> bool:
    return not any(BEGIN in needle or END in needle for needle in needles)
