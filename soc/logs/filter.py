"""The search language: ``wallet.address:0xab* AND NOT event.outcome:failure``.

Terms are ``field:value``, ``field:"some words"``, ``field:[1 TO 5]``, ``field:>=5``, ``field:*``
for "is there", ``field:(a OR b)``, and bare words, which the message must contain, whatever their
case; elsewhere case counts. Outside of quotes ``*`` and ``?`` stand for any text and any
character. AND, OR, NOT and brackets join them; terms side by side are joined by AND.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import re2

from soc.errors import QueryError

MAX_QUERY = 4_096
MAX_TERMS = 256
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Everything:
    """Takes every event."""


@dataclass(frozen=True, slots=True)
class Equals:
    """Takes events in which *field* has *value*."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """Takes events in which a value of *field* fits *pattern*: in it, * and ? are wild.

    A backslash makes the next character plain. folded: case does not count.
    """

    field: str
    pattern: str
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """Takes events in which *field* has any value."""

    field: str


@dataclass(frozen=True, slots=True)
class Range:
    """Takes events in which *field* lies between two numbers or moments; None is no bound."""

    field: str
    low: str | None
    high: str | None
    with_low: bool = True
    with_high: bool = True


@dataclass(frozen=True, slots=True)
class Not:
    """Takes what *inner* does not."""

    inner: "Filter"


@dataclass(frozen=True, slots=True)
class Both:
    """Takes what *left* and *right* take."""

    left: "Filter"
    right: "Filter"


@dataclass(frozen=True, slots=True)
class Either:
    """Takes what *left* or *right* takes."""

    left: "Filter"
    right: "Filter"


Filter = Everything | Equals | Like | Exists | Range | Not | Both | Either


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


TOKEN = re2.compile(
    r'(?P<space>\s+)|(?P<bracket>[()])|(?P<quoted>"(?:[^"\\]|\\.)*")'
    r"|(?P<range>[\[{]\s*\S+\s+TO\s+[^\s\]}]+\s*[\]}])|(?P<field>[@\w][\w.@-]*:)"
    r"|(?P<compare>[<>]=?)|(?P<word>(?:[^\s()\"\\\[\]{}]|\\.)+)"
)
KINDS = ("space", "bracket", "quoted", "range", "field", "compare", "word")
RANGE = re2.compile(r"^([\[{])\s*(\S+)\s+TO\s+([^\s\]}]+)\s*([\]}])$")


def parse(query: str) -> Filter:
    """Return what *query* takes; raises QueryError saying where it goes wrong."""
    if len(query) > MAX_QUERY:
        raise QueryError(f"longer than {MAX_QUERY} characters: search for less at once")
    tokens = list(_tokens(query))
    if len(tokens) > 4 * MAX_TERMS:
        raise QueryError(f"more than {MAX_TERMS} terms: search for less at once")
    if not tokens:
        return Everything()
    return _Parser(tokens, len(query)).whole()


def _tokens(query: str) -> Iterator[_Token]:
    at = 0
    while at < len(query):
        found = TOKEN.match(query, at)
        if not found:
            hint = "end the quotes" if query[at] == '"' else "put it into quotes"
            raise QueryError(f"character {at + 1}: {query[at]!r} stands for nothing here: {hint}")
        kind = next(name for name in KINDS if found.group(name) is not None)
        if kind != "space":
            yield _Token(kind, found.group(0), at)
        at = found.end()


class _Parser:
    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens, self._at, self._end = tokens, 0, end
        self._depth = 0

    def whole(self) -> Filter:
        found = self._either(None)
        if (token := self._peek()) is not None:
            raise QueryError(f"character {token.at + 1}: {token.text!r} closes nothing: remove it")
        return found

    def _either(self, field: str | None) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError(f"nested deeper than {MAX_DEPTH}: use fewer brackets")
        found = self._both(field)
        while self._takes("OR", "||"):
            found = Either(found, self._both(field))
        self._depth -= 1
        return found

    def _both(self, field: str | None) -> Filter:
        found = self._one(field)
        while (token := self._peek()) is not None:
            if token.text in {"OR", "||", ")"}:
                break
            self._takes("AND", "&&")
            found = Both(found, self._one(field))
        return found

    def _one(self, field: str | None) -> Filter:
        if self._takes("NOT", "!"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise QueryError(f"nested deeper than {MAX_DEPTH}: use fewer negations")
            negated = Not(self._one(field))
            self._depth -= 1
            return negated
        token = self._next()
        if token.text == "(" and token.kind == "bracket":
            found = self._either(field)
            if not self._takes(")"):
                raise QueryError(f"character {token.at + 1}: this bracket is not closed")
            return found
        if token.kind == "field" and field is None:
            return self._one(token.text[:-1])
        return self._term(field, token)

    def _term(self, field: str | None, token: _Token) -> Filter:
        words = token.text in {"AND", "OR", "&&", "||"} and token.kind == "word"
        if token.kind in {"bracket", "field"} or words:
            raise QueryError(f"character {token.at + 1}: {token.text!r} needs a term before it")
        if token.kind == "quoted":
            value = _plain(token.text[1:-1])
            return Equals(field, value) if field else _said(value)
        if token.kind in {"range", "compare"} and field is None:
            raise QueryError(f"character {token.at + 1}: name a field: field:{token.text}")
        if token.kind == "range":
            return _range(field or "", token)
        if token.kind == "compare":
            return self._compared(field or "", token)
        return _word(field, token)

    def _compared(self, field: str, token: _Token) -> Filter:
        bound = self._next()
        value = _plain(bound.text.strip('"'))
        inclusive = token.text.endswith("=")
        if token.text.startswith(">"):
            return Range(field, value, None, with_low=inclusive)
        return Range(field, None, value, with_high=inclusive)

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> _Token:
        token = self._peek()
        if token is None:
            raise QueryError(f"character {self._end + 1}: a term is missing at the end")
        self._at += 1
        return token

    def _takes(self, *texts: str) -> bool:
        token = self._peek()
        if token is None or token.text not in texts or token.kind == "quoted":
            return False
        self._at += 1
        return True


def _word(field: str | None, token: _Token) -> Filter:
    if field is None and token.text == "*":
        return Everything()
    if field is None:
        return _said(_plain(token.text)) if not _is_wild(token.text) else _said_like(token.text)
    if field == "_exists_":
        return Exists(_plain(token.text))
    if token.text == "*":
        return Exists(field)
    return Like(field, token.text) if _is_wild(token.text) else Equals(field, _plain(token.text))


def _range(field: str, token: _Token) -> Filter:
    found = RANGE.match(token.text)
    opening, low, high, closing = found.groups()
    return Range(
        field,
        None if low == "*" else _plain(low.strip('"')),
        None if high == "*" else _plain(high.strip('"')),
        with_low=opening == "[",
        with_high=closing == "]",
    )


def _said(words: str) -> Filter:
    return _said_like("".join(f"\\{c}" if c in "*?\\" else c for c in words))


def _said_like(pattern: str) -> Filter:
    return Like("message", f"*{pattern}*", folded=True)


def _is_wild(text: str) -> bool:
    return any(is_wild for _, is_wild in letters(text))


def _plain(text: str) -> str:
    return "".join(letter for letter, _ in letters(text))


def letters(pattern: str) -> Iterator[tuple[str, bool]]:
    """Yield each character of *pattern*, and whether it is wild."""
    escaped = False
    for letter in pattern:
        if escaped or letter != "\\":
            yield letter, not escaped and letter in "*?"
            escaped = False
        else:
            escaped = True
    if escaped:
        yield "\\", False
