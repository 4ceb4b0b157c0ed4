"""Ask one value many questions at once: needles of all rules are looked for in a single pass."""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import accumulate

from ahocorasick_rs import BytesAhoCorasick

from soc.detect.sigma.engine import hyper
from soc.detect.sigma.engine.hyper import BEGIN, END, FEW, Databases, Hyper, hyper_of
from soc.detect.sigma.event import Scalar
from soc.detect.sigma.predicate import (
    Contains,
    EndsWith,
    Equals,
    Number,
    Pattern,
    Predicate,
    StartsWith,
)
from soc.detect.sigma.text import number_of
from soc.model.text import fold

Asked = tuple[int, Predicate]
"""A question and who asks it."""


class Needles:
    """Literals that are looked for in texts, each for those who ask for it."""

    def __init__(self) -> None:
        self._whole: defaultdict[str, list[int]] = defaultdict(list)
        self._parts: defaultdict[str, list[int]] = defaultdict(list)
        self.always: list[int] = []
        """Who asks for the empty text: every text contains it."""

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
            case Contains(needles) if not all(needles):
                self.always.append(who)
            case Contains(needles) if _are_plain(needles):
                self._add_parts(who, needles)
            case _:
                return False
        return True

    @property
    def asks_whole(self) -> bool:
        """Return whether somebody asks for a text itself."""
        return bool(self._whole)

    @property
    def parts(self) -> Mapping[str, list[int]]:
        """Who asks for each literal that a text between BEGIN and END may contain."""
        return self._parts

    def wholly(self, text: str) -> Sequence[int]:
        """Return who asks for *text* itself."""
        return self._whole.get(text, ())

    def partly(self, text: str) -> Iterator[list[int]]:
        """Yield who asks for a literal that *text* contains; some more than once."""
        if self._parts:
            octets = f"{BEGIN}{text}{END}".encode()
            seen = self._automaton.find_matches_as_indexes(octets, overlapping=True)
            for which in {one for one, _, _ in seen}:
                yield self._askers[which]

    def among(self, texts: str) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield the place of a text and who asks for it or for what it contains.

        texts: one after the other, each between BEGIN and END and without these.
        """
        if self._whole:
            each = texts[1:-1].split(f"{END}{BEGIN}")
            asked = enumerate(map(self._whole.get, each))
            yield from ((place, askers) for place, askers in asked if askers)
        octets = texts.encode()
        seen = self._parts and self._automaton.find_matches_as_indexes(octets, overlapping=True)
        if seen:
            ends = list(accumulate(len(one) + 1 for one in octets.split(END.encode())))
            for place, needle in {(bisect_right(ends, begin), which) for which, begin, _ in seen}:
                yield place, self._askers[needle]

    def _add_parts(self, who: int, needles: Iterable[str]) -> None:
        for needle in needles:
            self._parts[needle].append(who)

    @cached_property
    def _automaton(self) -> BytesAhoCorasick:
        return BytesAhoCorasick([needle.encode() for needle in self._parts])

    @cached_property
    def _askers(self) -> list[list[int]]:
        return list(self._parts.values())


class Evidence:
    """What tells who gets a yes.

    folded: numbers of the literals that were found. others: who gets a yes besides. askers: who
    asks for each literal.
    """

    __slots__ = ("_askers", "_folded", "_others", "key")

    def __init__(
        self, folded: list[int], others: AbstractSet[int], askers: Sequence[Sequence[int]]
    ) -> None:
        folded.sort()
        self._folded, self._others, self._askers = folded, others, askers
        told = [*folded, -1, *sorted(others)] if others else folded
        self.key = array("i", told).tobytes()
        """The same for all that tells the same."""

    def yes(self) -> set[int]:
        """Return who gets a yes."""
        return set(self._others).union(*map(self._askers.__getitem__, self._folded))


class Accepts:
    """The questions that are asked about one value of a field.

    databases: where one pass for all of them comes from, once it pays.
    """

    def __init__(self, asked: Iterable[Asked], databases: Databases) -> None:
        self._asked = tuple(asked)
        self._folded, self._cased = Needles(), Needles()
        self._numbers: defaultdict[float, list[int]] = defaultdict(list)
        self._patterns: list[tuple[int, Pattern]] = []
        self._others: list[Asked] = []
        for who, predicate in self._asked:
            needles = self._cased if getattr(predicate, "cased", False) else self._folded
            if isinstance(predicate, Number):
                self._numbers[predicate.number].append(who)
            elif isinstance(predicate, Pattern):
                self._patterns.append((who, predicate))
            elif not needles.add(who, predicate):
                self._others.append((who, predicate))
        alone = (*self._others, *self._folded.always, *self._cased.always)
        self._is_simple = not (alone or self._numbers or self._cased.asks_whole)
        self._databases = databases
        self._hyper: Hyper | None = None
        self._many = len(self._folded.parts) + len(self._cased.parts) + len(self._patterns)
        self._spent = 0

    def of(self, value: Scalar) -> set[int]:
        """Return who gets a yes; raises what a predicate raises that cannot digest *value*."""
        evidence = self.evidence(value)
        return evidence.yes() if evidence else self._slowly(value)

    def evidence(self, value: Scalar) -> Evidence | None:
        """Return what tells who gets a yes, if one pass over *value* does; raises as ``of``."""
        if BEGIN in value.text or END in value.text:
            return None
        if self._hyper is None:
            self._hyper = self._hyper_for(value)
            if self._hyper is None:
                return None
        others: AbstractSet[int]
        if self._is_simple:
            others = frozenset(self._folded.wholly(value.folded))
        else:
            others = self._besides(value)
        if self._hyper.has_more:
            others |= self._hyper.found(value)
        folded = self._hyper.folded
        return Evidence(folded.found(value.folded), others, folded.askers)

    def of_each(self, texts: Sequence[str]) -> dict[int, set[int]] | None:
        """Return the places of those of *texts* that get a yes, each with who gives it.

        Return None if they must be asked one by one. Raises UnicodeEncodeError for half characters.
        """
        if self._patterns or self._others or self._hyper is not None:
            return None
        joined = _between(texts)
        if joined.count(BEGIN) != len(texts) or joined.count(END) != len(texts):
            return None
        yes = defaultdict[int, set[int]](set)
        folded = joined.lower() if joined.isascii() else _between(map(fold, texts))
        for place, askers in (*self._folded.among(folded), *self._cased.among(joined)):
            yes[place].update(askers)
        if always := {*self._folded.always, *self._cased.always}:
            for place in range(len(texts)):
                yes[place] |= always
        for place, number in enumerate(map(number_of, texts) if self._numbers else ()):
            if number is not None and number in self._numbers:
                yes[place].update(self._numbers[number])
        return yes

    def _slowly(self, value: Scalar) -> set[int]:
        if BEGIN in value.text or END in value.text:
            return {who for who, predicate in self._asked if predicate.accepts(value)}
        yes = self._besides(value)
        yes.update(*self._folded.partly(value.folded), *self._cased.partly(value.text))
        yes.update(who for who, pattern in self._patterns if pattern.accepts(value))
        return yes

    def _besides(self, value: Scalar) -> set[int]:
        """Return who gets a yes that asks neither for a part of a text nor for a pattern."""
        yes = {who for who, predicate in self._others if predicate.accepts(value)}
        yes.update(self._folded.always, self._cased.always)
        yes.update(self._folded.wholly(value.folded), self._cased.wholly(value.text))
        if self._numbers and value.number is not None:
            yes.update(self._numbers.get(value.number, ()))
        return yes

    def _hyper_for(self, value: Scalar) -> Hyper | None:
        """Return what answers in one pass, if it is time for that."""
        databases, is_first = self._databases, not self._spent
        if not databases.is_there or self._many < min(FEW, databases.after + 1):
            return None
        self._spent += len(value.text) * self._many + 1
        is_kept = is_first and hyper.is_kept(self._folded.parts, databases)
        if not is_kept and self._spent < databases.after:
            return None
        made = hyper_of(self._folded.parts, self._cased.parts, self._patterns, databases)
        if made is None:
            self._many = 0
        return made


def _between(texts: Iterable[str]) -> str:
    """Return *texts* one after the other, each between BEGIN and END."""
    return f"{BEGIN}{f'{END}{BEGIN}'.join(texts)}{END}"


def _are_plain(needles: Iterable[str]) -> bool:
    return not any(BEGIN in needle or END in needle for needle in needles)
