"""A condition over numbered questions: decided from the set of those that are answered with yes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from soc.detect.sigma.condition import (
    And,
    FieldExists,
    FieldIsNull,
    FieldMatch,
    Keyword,
    Node,
    Not,
    Or,
)
from soc.detect.sigma.event import key_of

Hits = frozenset[int]
Uses = Mapping[int, int]
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
    """A question of which it is only known whether it may be answered with yes."""

    atom: int

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:  # noqa: ARG002 - the protocol's
        """Return None if it may."""
        return None if self.atom in hits else False

    def anchors(self, uses: Uses) -> Hits | None:  # noqa: ARG002 - as above
        """Return the question itself."""
        return frozenset({self.atom})


@dataclass(frozen=True, slots=True)
class Open:
    """What only the whole event answers."""

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:  # noqa: ARG002 - as above
        """Return None."""
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


@dataclass(frozen=True, slots=True)
class _Several:
    """Parts of which the first that answers *ends* decides."""

    parts: tuple[Tree, ...]
    ends: ClassVar[bool]

    def holds(self, hits: Hits, *, told: bool | None = True) -> bool | None:
        """Return *ends* as soon as one part answers so."""
        found: bool | None = not self.ends
        for part in self.parts:
            answer = part.holds(hits, told=told)
            if answer is self.ends:
                return answer
            found = None if answer is None else found
        return found


class All(_Several):
    """Every part holds."""

    __slots__ = ()
    ends = False

    def anchors(self, uses: Uses) -> Hits | None:
        """Return those of one part."""
        known = [found for part in self.parts if (found := part.anchors(uses)) is not None]
        return min(known, key=lambda found: sum(map(uses.__getitem__, found)), default=None)


class Any(_Several):
    """One part holds."""

    __slots__ = ()
    ends = True

    def anchors(self, uses: Uses) -> Hits | None:
        """Return those of all parts, if each has some."""
        each = [part.anchors(uses) for part in self.parts]
        return _union(one for one in each if one is not None) if None not in each else None


class Questions:
    """Numbers the questions of many conditions: the same question has one number."""

    def __init__(self) -> None:
        self.by_field: dict[str, dict[int, Node]] = {}
        self.keywords: dict[int, Keyword] = {}
        self.uses: Counter[int] = Counter()
        self._numbers: dict[tuple[object, ...], int] = {}

    def tree(self, node: Node) -> Tree:
        """Return *node* over numbered questions."""
        match node:
            case And():
                return All(tuple(map(self.tree, node.parts)))
            case Or():
                return Any(tuple(map(self.tree, node.parts)))
            case Not():
                return Nor(self.tree(node.part))
            case FieldMatch() | FieldIsNull() | FieldExists():
                is_usual = isinstance(node, FieldIsNull) or (
                    isinstance(node, FieldExists) and not node.expected
                )
                return Leaf(self._number(node), key_of(node.field), is_usual)
            case Keyword():
                number = self._numbers.setdefault((Keyword, node.predicates), len(self._numbers))
                self.keywords[number] = node
                self.uses[number] += 1
                return Maybe(number)
        return Open()

    def _number(self, node: Atom) -> int:
        name = key_of(node.field)
        asked: object = node.predicates if isinstance(node, FieldMatch) else ()
        expected = isinstance(node, FieldExists) and node.expected
        number = self._numbers.setdefault((type(node), name, asked, expected), len(self._numbers))
        self.by_field.setdefault(name, {})[number] = node
        self.uses[number] += 1
        return number


def asked_by(tree: Tree) -> Iterator[str | int]:
    """Yield the fields that *tree* asks about, and the numbers of its questions about any."""
    match tree:
        case All() | Any():
            for part in tree.parts:
                yield from asked_by(part)
        case Nor():
            yield from asked_by(tree.part)
        case Leaf():
            yield tree.field
        case Maybe():
            yield tree.atom


def _union(sets: Iterable[Hits]) -> Hits:
    return frozenset().union(*sets)
