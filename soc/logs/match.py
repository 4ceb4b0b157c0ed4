"""Tell exactly whether an event is among what a filter takes, and how its fields are named."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson
import re2

from soc.errors import QueryError
from soc.logs.filter import (
    Both,
    Either,
    Equals,
    Everything,
    Exists,
    Filter,
    Like,
    Not,
    Range,
    letters,
)
from soc.model.event import SCHEMA

COLUMNS: Mapping[str, str] = {
    "@timestamp": "ts",
    "event.ingested": "ingested",
    "soc.seq": "seq",
    "soc.source": "source",
    "soc.class": "class",
    "soc.parser": "parser",
    "event.dataset": "dataset",
    "event.action": "action",
    "event.outcome": "outcome",
    "wallet.address": "wallet",
    "counterparty.address": "counterparty",
    "user.name": "user_name",
    "source.ip": "src_ip",
    "host.name": "host",
    "funding.project.id": "project",
    "funding.round.id": "round",
    "funding.amount.raw": "amount",
    "chain.tx.hash": "tx_hash",
    "event.id": "event_id",
    **{name: name for name in SCHEMA.names if name != "reason"},
}
"""Columns by the fields that they hold, and by their own names."""

LOWERED = frozenset({"wallet", "counterparty", "tx_hash"})
MOMENTS = frozenset({"ts", "ingested"})
MAX_DIGITS = 100

Row = Mapping[str, Any]
Takes = Callable[[Row], bool]


def matcher(wanted: Filter) -> Takes:  # noqa: PLR0911 - one for each kind of filter
    """Return what tells of a row, columns of SCHEMA as Python values, whether *wanted* takes it."""
    match wanted:
        case Everything():
            return lambda _: True
        case Not(inner):
            takes = matcher(inner)
            return lambda row: not takes(row)
        case Both(left, right):
            one, other = matcher(left), matcher(right)
            return lambda row: one(row) and other(row)
        case Either(left, right):
            one, other = matcher(left), matcher(right)
            return lambda row: one(row) or other(row)
        case Exists(field):
            return lambda row: any(True for _ in values(row, field))
        case Equals(field, value):
            text = spelt(field, value)
            return lambda row: any(found == text for found in values(row, field))
        case Like(field, pattern, folded):
            fits = expression(spelt(field, pattern), folded).match
            return lambda row: any(fits(found) is not None for found in values(row, field))
        case Range():
            return _between(wanted)


def spelt(field: str, value: str) -> str:
    """Return *value* as the column of *field* spells it."""
    column = COLUMNS.get(field)
    if column in MOMENTS:
        return moment(field, value).isoformat()
    return value.lower() if column in LOWERED else value


@lru_cache(maxsize=256)
def expression(pattern: str, folded: bool) -> Any:  # noqa: ANN401, FBT001 - a compiled pattern of re2
    """Return *pattern* as a regular expression for whole values."""
    parts = [
        {"*": "(?s:.*)", "?": "(?s:.)"}[letter] if is_wild else _plainly(letter, folded=folded)
        for letter, is_wild in letters(pattern)
    ]
    return re2.compile(rf"\A{''.join(parts)}\z")


def _plainly(letter: str, *, folded: bool) -> str:
    """Return what matches *letter*; folded: also in the other case, of ASCII's letters alone."""
    if folded and letter.isascii() and letter.isalpha():
        return f"[{letter.lower()}{letter.upper()}]"
    return str(re2.escape(letter))


def values(row: Row, field: str) -> Iterator[str]:
    """Yield the values of *field* in *row* as text: one of a column, or those in the event."""
    column = COLUMNS.get(field)
    if column is None:
        for found in found_in(orjson.loads(row["raw"]), field):
            yield from _texts(found)
    elif (value := row[column]) is not None:
        yield value.isoformat() if isinstance(value, datetime) else str(value)


def found_in(document: object, name: str) -> Iterator[object]:
    """Yield what stands under *name*, read as one key and as each path that it can be."""
    if isinstance(document, list):
        for item in document:
            yield from found_in(item, name)
    if not isinstance(document, dict):
        return
    if name in document:
        yield document[name]
    head, dot, rest = name.partition(".")
    while dot:
        if head in document:
            yield from found_in(document[head], rest)
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"


def number(text: str) -> Decimal | None:
    """Return *text* as a number, or None."""
    try:
        return Decimal(text) if len(text) <= MAX_DIGITS else None
    except InvalidOperation:
        return None


def moment(field: str, text: str) -> datetime:
    """Return *text* as a moment in UTC; raises QueryError naming *field*."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise QueryError(f"{field}: {text!r} is no time: write 2026-11-23T12:00:00Z") from wrong
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def bounds(wanted: Range) -> tuple[Any, Any]:
    """Return the two bounds as moments or numbers; raises QueryError for what is neither."""
    given = (wanted.low, wanted.high)
    if COLUMNS.get(wanted.field) in MOMENTS:
        low, high = (None if text is None else moment(wanted.field, text) for text in given)
        return low, high
    found = [None if text is None else number(text) for text in given]
    for text, value in zip(given, found, strict=True):
        if text is not None and (value is None or not value.is_finite()):
            raise QueryError(f"{wanted.field}: {text!r} is no number: ranges need numbers or times")
    return found[0], found[1]


def _between(wanted: Range) -> Takes:
    low, high = bounds(wanted)
    column = COLUMNS.get(wanted.field)
    read = datetime.fromisoformat if column in MOMENTS else number

    def lies(text: str) -> bool:
        value: Any = read(text)
        if value is None or value != value:  # noqa: PLR0124 - what is no number equals nothing
            return False
        above = low is None or (value >= low if wanted.with_low else value > low)
        below = high is None or (value <= high if wanted.with_high else value < high)
        return bool(above and below)

    return lambda row: any(map(lies, values(row, wanted.field)))


def _texts(found: object) -> Iterator[str]:
    if isinstance(found, list):
        for item in found:
            yield from _texts(item)
    elif isinstance(found, bool):
        yield str(found).lower()
    elif isinstance(found, str | int | float):
        yield str(found)
