"""The ``_bulk`` body: action and document, line by line, as OpenSearch clients write it."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import orjson

from soc.errors import Refused
from soc.ingest.fields import enclosed

TAKEN = frozenset({"create", "index"})
KNOWN = TAKEN | {"delete", "update"}
MAX_ID = 512


class _About(msgspec.Struct):
    index: str | None = msgspec.field(default=None, name="_index")
    id: str | None = msgspec.field(default=None, name="_id")


_decode = msgspec.json.Decoder(dict[str, _About]).decode
_decode_all = msgspec.json.Decoder(list[dict[str, _About]]).decode


class Item(msgspec.Struct, frozen=True):
    """One action. line: its document, or None where the action itself is refused."""

    action: str
    index: str
    id: str | None
    line: bytes | None


def parse(body: bytes, index: str) -> list[Item]:
    """Return what *body* asks for, with *index* where an action names none.

    Raises Refused, naming the line, for a body whose pairs do not fit: then nothing is stored.
    """
    together = _together(body, index)
    return line_by_line(body, index) if together is None else together


def line_by_line(body: bytes, index: str) -> list[Item]:
    """Return what ``parse`` does, the plain way, which knows every mistake."""
    items: list[Item] = []
    action: Item | None = None
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not (stripped := line.strip()):
            continue
        if action is None:
            action = _action(stripped, index, number)
            if action.action == "delete":
                items.append(action)
                action = None
        else:
            if action.action in TAKEN:
                action = Item(action.action, action.index, action.id, stripped)
            items.append(action)
            action = None
    if action is not None:
        raise Refused("the last action has no document: send pairs of lines")
    return items


def _together(body: bytes, index: str) -> list[Item] | None:
    """Return what *body* asks for, if it is made of nothing but plain pairs; else None."""
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    actions, documents = lines[::2], [line.strip() for line in lines[1::2]]
    if len(actions) != len(documents) or not all(documents):
        return None
    try:
        given = _decode_all(enclosed(actions))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Refused):
        return None
    items = [
        Item(name, about.index or index, about.id, document)
        for action, document in zip(given, documents, strict=False)
        for name, about in action.items()
    ]
    is_plain = len(given) == len(actions) == len(items) and all(
        item.action in TAKEN and item.index and len(item.id or "") <= MAX_ID for item in items
    )
    return items if is_plain else None


def _action(line: bytes, index: str, number: int) -> Item:
    try:
        given = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Refused(f"line {number}: {_mistake(line)}") from wrong
    if len(given) != 1 or not KNOWN.issuperset(given):
        raise Refused(f"line {number}: {_mistake(line)}")
    ((name, about),) = given.items()
    if not (named := about.index or index):
        raise Refused(f"line {number}: no index: name it in the action or the path")
    if about.id is not None and len(about.id) > MAX_ID:
        raise Refused(f"line {number}: _id must be text of at most {MAX_ID} characters")
    return Item(name, named, about.id, None)


def _mistake(line: bytes) -> str:
    """Return what is wrong with an action that cannot be read."""
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError as wrong:
        return f"an action must be a JSON object: {wrong.msg}"
    if not isinstance(given, dict) or len(given) != 1 or not KNOWN.issuperset(given):
        return 'write an action such as {"create": {}}'
    name, about = next(iter(given.items()))
    if not isinstance(about, dict):
        return f"what follows {name!r} must be an object"
    if about.get("_index") is not None and not isinstance(about["_index"], str):
        return "no index: name it in the action or the path"
    return f"_id must be text of at most {MAX_ID} characters"


def answer(items: Sequence[Item], known: Sequence[bool], took_ms: int) -> bytes:
    """Return the reply: keys in the order that shippers look for, a known ``_id`` as success.

    *known* tells for each item with a document whether its id was stored before.
    """
    seen = iter(known)
    errors = any(item.line is None for item in items)
    replies = [
        b'{"%b":{"_index":%b,"_id":%b,%b}}'
        % (
            item.action.encode(),
            _quoted(item.index),
            orjson.dumps(item.id or ""),
            _REFUSED if item.line is None else _KNOWN if next(seen) else _CREATED,
        )
        for item in items
    ]
    head = b'{"took":%d,"errors":%b,"items":[' % (took_ms, b"true" if errors else b"false")
    return head + b",".join(replies) + b"]}"


_CREATED, _KNOWN = b'"status":201', b'"status":200,"result":"noop"'
_REFUSED = (
    b'"status":400,"error":{"type":"illegal_argument_exception",'
    b'"reason":"events are never changed: use create"}'
)


@lru_cache(maxsize=1024)
def _quoted(name: str) -> bytes:
    return orjson.dumps(name)
