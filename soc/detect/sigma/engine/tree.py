"""A condition over numbered questions: decided from the set of those that are answered with yes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from soc.detect.sigma.condition import (
    And,
    FieldExists,
    FieldIsNull,
    FieldMatch,
    FieldReference,
    Keyword,
    Node,
    Not,
    Or,
)
from soc.detect.sigma.event import key_of
from soc.detect.sigma.predicate import Contains

SHORT = 2
"""Characters of a part that many texts have."""
MANY = 1_000
"""Texts that are asked for of one field, so that answers which say little cost much."""
OFTEN = 100
"""Rules that ask a question to which most events say yes, as that for the number of a kind."""

Hits = frozenset[int]
Uses = Mapping[int, int]
Asked = tuple[str | int, ...]
"""Fields, by name, and questions about any field, by number."""
Atom = FieldMatch | FieldIsNull | FieldExists


class Tree(Protocol):
    """A condition, or a part of one."""

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:
        """Return whether it holds; None if *hits* alone do not tell.

        told: what is known of a question among *hits*: True, yes; None, sometimes.
        """

    def anchors(self, uses: Uses) -> Hits | None:
        """Return questions of which one has a yes wherever this holds; None if there are none.

        uses: how many rules ask each question; those are taken that the fewest rules ask.
        """


@dataclass(frozen=True, slots=True)
class Leaf:
    """One question. is_usual: most events answer it with yes, which makes it no anchor."""

    atom: int
    field: str
    is_usual: bool

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:
        """Return the answer."""
        return told if self.atom in hits else False

    def anchors(self, uses: Uses) -> Hits | None:  # noqa: ARG002 - the protocol's
        """Return the question itself."""
        return None if self.is_usual else frozenset({self.atom})


@dataclass(frozen=True, slots=True)
class Maybe:
    """A question of which it is only known whether it may be answered with yes.

    why_not: what it means if it never may.
    """

    atom: int
    why_not: str

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:  # noqa: ARG002 - the protocol's
        """Return None if it may."""
        return None if self.atom in hits else False

    def anchors(self, uses: Uses) -> Hits | None:  # noqa: ARG002 - as above
        """Return the question itself."""
        return frozenset({self.atom})


@dataclass(frozen=True, slots=True)
class Vague:
    """A question that is not asked of values: of too many that are long the answer would be yes."""

    field: str

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:  # noqa: ARG002 - the protocol's
        """Return None: only the event decides."""
        return None

    def anchors(self, uses: Uses) -> Hits | None:  # noqa: ARG002 - as above
        """Return None."""
        return None


@dataclass(frozen=True, slots=True)
class Nor:
    """The part does not hold."""

    part: Tree

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:
        """Return the contrary."""
        found = self.part.holds(hits, told=told)
        return None if found is None else not found

    def anchors(self, uses: Uses) -> Hits | None:  # noqa: ARG002 - as above
        """Return None: it holds where nothing has a yes."""
        return None


class _Several:
    """Parts of which the first that answers in one way decides."""

    __slots__ = ("_atoms", "_others", "parts")

    def __init__(self, parts: Iterable[Tree]) -> None:
        self.parts = tuple(parts)
        self._atoms = frozenset(part.atom for part in self.parts if isinstance(part, Leaf))
        self._others = tuple(part for part in self.parts if not isinstance(part, Leaf))


class All(_Several):
    """Every part holds."""

    __slots__ = ()

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:
        """Return False as soon as one part answers so."""
        if not self._atoms <= hits:
            return False
        found = told if self._atoms else True
        for part in self._others:
            answer = part.holds(hits, told=told)
            if answer is False:
                return False
            found = answer if answer is None else found
        return found

    def anchors(self, uses: Uses) -> Hits | None:
        """Return those of one part."""
        known = [found for part in self.parts if (found := part.anchors(uses)) is not None]
        return min(known, key=lambda found: sum(map(uses.__getitem__, found)), default=None)


class Any(_Several):
    """One part holds."""

    __slots__ = ()

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:
        """Return True as soon as one part answers so."""
        found: bool | None = False
        if not self._atoms.isdisjoint(hits):
            if told:
                return True
            found = told
        for part in self._others:
            answer = part.holds(hits, told=told)
            if answer:
                return True
            found = answer if answer is None else found
        return found

    def anchors(self, uses: Uses) -> Hits | None:
        """Return those of all parts, if each has some."""
        each = [part.anchors(uses) for part in self.parts]
        return _union(one for one in each if one is not None) if None not in each else None


class Questions:
    """Numbers the questions of many conditions: the same question has one number."""

    def __init__(self) -> None:
        self.by_field: dict[str, dict[int, Node]] = {}
        self.keywords: dict[int, Keyword] = {}
        self.references: dict[int, FieldReference] = {}
        self.uses: Counter[int] = Counter()
        self._is_short: set[int] = set()
        self._asked: list[str | int] = []
        self._short: list[int] = []
        self._vague: set[int] = set()
        self._numbers: dict[tuple[object, ...], int] = {}

    def tree(self, node: Node) -> Tree:
        """Return *node* over numbered questions."""
        match node:
            case And():
                return All(map(self.tree, node.parts))
            case Or():
                return Any(map(self.tree, node.parts))
            case Not():
                return Nor(self.tree(node.part))
            case Keyword() | FieldReference():
                return self._maybe(node)
        is_usual = isinstance(node, FieldIsNull) or (
            isinstance(node, FieldExists) and not node.expected
        )
        number, name = self._number(node), key_of(node.field)
        self._asked.append(name)
        return Vague(name) if number in self._vague else Leaf(number, name, is_usual)

    def trees(self, nodes: Sequence[Node]) -> list[tuple[Tree, Asked]]:
        """Return all *nodes* over numbered questions, and what each asks.

        Not asked of values is who asks for a short part of a field of which very many texts are
        asked, if the rest of each such condition rules out most events.
        """
        made, asked, short = list[Tree](), list[Asked](), dict[int, frozenset[int]]()
        for place, node in enumerate(nodes):
            made.append(self.tree(node))
            asked.append(tuple(dict.fromkeys(self._asked)))
            self._asked.clear()
            if self._short:
                short[place] = frozenset(self._short)
                self._short.clear()
        many = {name for name, asked in self.by_field.items() if _many(asked)}
        self._vague = {
            number for name in many for number in self.by_field[name] if number in self._is_short
        }
        for place, numbers in short.items():
            if not self._vague.isdisjoint(numbers):
                made[place] = self.tree(nodes[place])
                anchors = made[place].anchors(self.uses)
                if anchors is None or sum(map(self.uses.__getitem__, anchors)) > OFTEN:
                    self._vague -= numbers
        for place in short:
            made[place] = self.tree(nodes[place])
        for known in self.by_field.values():
            for number in self._vague & known.keys():
                del known[number]
        return list(zip(made, asked, strict=True))

    def _maybe(self, node: Keyword | FieldReference) -> Maybe:
        if isinstance(node, Keyword):
            number = self._open((Keyword, node.predicates))
            self.keywords[number] = node
            return Maybe(number, "no event has its words")
        asked = (key_of(node.field), key_of(node.other), node.starts, node.ends, node.cased)
        number = self._open((FieldReference, *asked))
        self.references[number] = node
        return Maybe(number, f"{node.field} never compares so with {node.other}")

    def _open(self, asked: tuple[object, ...]) -> int:
        number = self._numbers.setdefault(asked, len(self._numbers))
        self._asked.append(number)
        self.uses[number] += 1
        return number

    def _number(self, node: Atom) -> int:
        name = key_of(node.field)
        wanted: object = node.predicates if isinstance(node, FieldMatch) else ()
        expected = isinstance(node, FieldExists) and node.expected
        count = len(self._numbers)
        number = self._numbers.setdefault((type(node), name, wanted, expected), count)
        if number == count:
            self.by_field.setdefault(name, {})[number] = node
            if _is_short(node):
                self._is_short.add(number)
        if number in self._is_short:
            self._short.append(number)
        self.uses[number] += 1
        return number


def may_hold(tree: Tree, hits: Hits, unknown: Hits) -> bool | None:
    """Return what ``holds`` does if the answers to *unknown* questions are not known."""
    match tree:
        case Leaf():
            return None if tree.atom in unknown else tree.atom in hits
        case Nor():
            found = may_hold(tree.part, hits, unknown)
            return found if found is None else not found
        case All() | Any():
            answers = {may_hold(part, hits, unknown) for part in tree.parts}
            ends = isinstance(tree, Any)
            return ends if ends in answers else None if None in answers else not ends
    return tree.holds(hits)


def _is_short(node: Node) -> bool:
    """Return whether *node* asks for a part of a text so short that many texts have it."""
    return isinstance(node, FieldMatch) and any(
        0 < len(needle) <= SHORT and needle.isascii()
        for one in node.predicates
        if isinstance(one, Contains)
        for needle in one.needles
    )


def _many(asked: Mapping[int, Node]) -> bool:
    """Return whether what is *asked* are very many texts."""
    nodes = (node for node in asked.values() if isinstance(node, FieldMatch))
    counts = (len(getattr(one, "needles", ())) for node in nodes for one in node.predicates)
    return sum(counts) >= MANY


def _union(sets: Iterable[Hits]) -> Hits:
    return frozenset().union(*sets)
