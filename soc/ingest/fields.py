"""Read the fields of an event, nested or dotted, as the text that columns hold."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import orjson

from soc.errors import Refused
from soc.model.value import EPOCH, whole

MAX_TEXT = 1024
MAX_LINE = 1024 * 1024
SPACES = " \t\n\r\v\f"
BLANK = frozenset({"", "-"})
"""What says nothing."""
BETWEEN = b",\n"
MAX_DEPTH = 64
BRACES = ((0, ord("{")), (-1, ord("}")))
SHALLOW = 32
"""What has no more brackets than this is nested no deeper."""


def find(document: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what *document* holds at dotted *name*, written nested, dotted or mixed; else None."""
    if name in document:
        return document[name]
    head, dot, rest = name.partition(".")
    while dot:
        inner = document.get(head)
        if isinstance(inner, Mapping) and (found := find(inner, rest)) is not None:
            return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def text(document: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of *names* that holds something, as text; a list gives its first item."""
    for name in names:
        if (words := said(find(document, name))) is not None:
            return words
    return None


def said(value: object) -> str | None:
    """Return one JSON value as the text of a column; None for what says nothing."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float) and str(value).strip(SPACES) not in BLANK:
        return str(value)[:MAX_TEXT]
    return None


def lowered(words: str | None) -> str | None:
    """Return a wallet address or a hash in its one spelling."""
    return words.lower() if words else None


def digits(words: str | None) -> str | None:
    """Return an amount as integer text; None for what is no whole number: never a rounded one.

    Nor is a number with more digits than a chain can hold.
    """
    return words if whole(words) is not None else None


def moment(value: object, name: str = "@timestamp") -> datetime:
    """Return *value*, RFC 3339 text or milliseconds since 1970, as a moment in UTC.

    Text without a zone is taken as UTC. Raises Refused for anything else.
    """
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value.strip())
            return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return EPOCH + timedelta(milliseconds=value)
    except (ValueError, OverflowError) as wrong:
        raise Refused(f"{name} is no time: write RFC 3339, as 2026-11-23T12:00:00Z") from wrong
    raise Refused(f"no {name}: write RFC 3339, as 2026-11-23T12:00:00Z")


def object_of(text: str) -> dict[str, Any]:
    """Return the JSON object that *text* is; raises Refused for anything else."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise Refused(f"not JSON at character {wrong.pos}: {wrong.msg}") from wrong
    if not isinstance(document, dict):
        raise Refused("JSON, but no object: send one object a line")
    return document


def depth_of(value: object) -> int:
    """Return how deep *value* is nested, looking no deeper than the limit."""
    level, layer = 0, [value]
    while layer and level <= MAX_DEPTH:
        inner: list[object] = []
        for item in layer:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        layer = inner
        level += 1
    return level


def enclosed(objects: Sequence[bytes]) -> bytes:
    """Return JSON objects as one JSON array that has as many elements only if each is one object.

    No text of JSON holds a line break, and no object goes on with a brace after a comma, so two
    pieces never make one object; several objects in one piece make too many elements. Raises
    Refused if there is none, or a piece does not begin and end with braces.
    """
    if (
        not objects
        or not all(objects)
        or any(set(map(itemgetter(end), objects)) - {brace} for end, brace in BRACES)
    ):
        raise Refused("write a JSON object")
    pieces = [*objects]
    pieces[0] = b"[" + pieces[0]
    pieces[-1] += b"]"
    return BETWEEN.join(pieces)
