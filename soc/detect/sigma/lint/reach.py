"""Find what a condition cannot reach: selections it does not use, and that it is never true.

A condition is taken as a formula over questions about values. Two questions about one field do not
exclude one another, since a field may have several values; a question and its opposite do.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from soc.detect.sigma.compile import parse, selected
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
from soc.detect.sigma.predicate import (
    Contains,
    EndsWith,
    Equals,
    Pattern,
    Predicate,
    StartsWith,
)
from soc.detect.sigma.source import Source

MAX_STEPS = 20_000
"""After so many steps it is not known whether a condition can be true, and nothing is said."""

Question = tuple[object, ...]
Literal = tuple[bool, Node | Question]
"""Something that must hold, or must not."""


def unused(source: Source) -> list[str]:
    """Return the selections of a rule that loaded, which its condition does not name."""
    detection: Mapping[str, Any] = source.plain["detection"]
    names = [name for name in detection if name != "condition"]
    written = detection["condition"]
    at = source.locate("detection", "condition")
    used: set[str] = set()
    for text in written if isinstance(written, list) else [written]:
        for pattern in _named(parse(text, at)):
            used.update(selected(pattern, names, at) if "*" in pattern else [pattern])
            if pattern == "them":
                used.update(selected(pattern, names, at))
    return [name for name in names if name not in used]


def _named(item: object) -> Iterator[str]:
    """Yield each selection, and each pattern for several, that a parsed condition names."""
    for name in ("identifier", "pattern"):
        if isinstance(text := getattr(item, name, None), str):
            yield text
            return
    for part in getattr(item, "args", ()):
        yield from _named(part)


def can_hold(condition: Node) -> bool | None:
    """Return whether some event could make *condition* true; None if that takes too long."""
    try:
        return _satisfiable([(True, condition)], [], {}, count(1))
    except (RecursionError, _TooLongError):
        return None


class _TooLongError(Exception):
    """So many steps were made that it is not worth while."""


def _satisfiable(
    waiting: list[Literal],
    choices: list[list[Literal]],
    known: dict[Question, bool],
    steps: Iterator[int],
) -> bool:
    """Return whether all of *waiting*, and one of each of *choices*, can be as they must.

    known: the questions that are answered already.
    """
    while waiting:
        if next(steps) > MAX_STEPS:
            raise _TooLongError
        wanted, thing = waiting.pop()
        if isinstance(thing, tuple):
            if known.setdefault(thing, wanted) is not wanted:
                return False
            continue
        all_of, parts = _parts(wanted, thing)
        if all_of or len(parts) == 1:
            waiting += parts
        else:
            choices = [*choices, parts]
    if not choices:
        return True
    first, *rest = choices
    return any(_satisfiable([one], rest, dict(known), steps) for one in first)


def _parts(wanted: bool, node: Node) -> tuple[bool, list[Literal]]:  # noqa: FBT001 - a sign
    """Return what *node* comes to if it must hold, or must not: all of some, or one of some."""
    match node:
        case Not():
            return True, [(not wanted, node.part)]
        case And() | Or():
            return isinstance(node, And) is wanted, [(wanted, part) for part in node.parts]
        case FieldExists():
            return True, [(wanted is node.expected, ("exists", key_of(node.field)))]
        case _:
            return not wanted, [(wanted, question) for question in _questions(node)]


def _questions(node: Node) -> Iterator[Question]:
    """Yield what a leaf asks: it holds if one of these is answered with yes."""
    match node:
        case FieldMatch():
            yield from ((key_of(node.field), *one) for one in _asked(node.predicates))
        case Keyword():
            yield from (("anywhere", *one) for one in _asked(node.predicates))
        case FieldIsNull():
            yield "null", key_of(node.field)
        case FieldReference():
            yield key_of(node.field), key_of(node.other), node.starts, node.ends
        case _:
            yield "another", id(node)


def _asked(predicates: Iterable[Predicate]) -> Iterator[Question]:
    """Yield each question of *predicates*, so that the same one is the same wherever it stands."""
    for one in predicates:
        match one:
            case Equals() | StartsWith() | EndsWith() | Contains():
                for needle in sorted(one.needles):
                    yield type(one).__name__, needle, one.cased
            case Pattern():
                yield "Pattern", one.source
            case _:
                yield (one,)
