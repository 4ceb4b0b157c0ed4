"""The ``_bulk`` body: action and document, line by line, as OpenSearch clients write it."""

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import orjson

from soc.errors import Refused
from soc.ingest.fields import enclosed

TAKEN = ("create", "index")
KNOWN = frozenset({*TAKEN, "delete", "update"})
MAX_ID = 512


class _About(msgspec.Struct, gc=False):
    index: str | None = msgspec.field(default=None, name="_index")
    id: str | None = msgspec.field(default=None, name="_id")


_decode = msgspec.json.Decoder(dict[str, _About]).decode


def _all_of(action: str) -> tuple[str, Any, Any, Any]:
    """Return *action*, what reads many of it at once, and what gets each index and id."""
    kind = msgspec.defstruct("Action", [(action, _About)], forbid_unknown_fields=True, gc=False)
    decode = msgspec.json.Decoder(list[kind]).decode  # type: ignore[valid-type]  # made above
    return action, decode, attrgetter(f"{action}.index"), attrgetter(f"{action}.id")


_ALIKE = tuple(map(_all_of, TAKEN))


class Item(NamedTuple):
    """One action. line: its document, or None where the action itself is refused."""

    action: str
    name: str
    id: str | None
    line: bytes | None


class Asked(NamedTuple):
    """What a body asks for, column by column: thousands of items need no object each.

    names: of the indices.
    """

    actions: Sequence[str]
    names: Sequence[str]
    ids: Sequence[str | None]
    lines: Sequence[bytes | None]

    @classmethod
    def of(cls, items: Sequence[Item]) -> "Asked":
        """Return *items* as columns."""
        return cls(*(map(list, zip(*items, strict=True)) if items else ([], [], [], [])))

    @property
    def items(self) -> list[Item]:
        """Return each item."""
        return list(map(Item, *self))

    @property
    def documents(self) -> Sequence[bytes]:
        """Return all documents there are."""
        return [line for line in self.lines if line is not None]

    def taken(self) -> "Asked":
        """Return what has a document."""
        if None not in self.lines:
            return self
        return Asked.of([item for item in self.items if item.line is not None])


def parse(body: bytes, index: str) -> Asked:
    """Return what *body* asks for, with *index* where an action names none.

    Raises Refused, naming the line, for a body whose pairs do not fit: then nothing is stored.
    """
    together = _together(body, index)
    return line_by_line(body, index) if together is None else together


def line_by_line(body: bytes, index: str) -> Asked:
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
                action = action._replace(line=stripped)
            items.append(action)
            action = None
    if action is not None:
        raise Refused("the last action has no document: send pairs of lines")
    return Asked.of(items)


def _together(body: bytes, index: str) -> Asked | None:
    """Return what *body* asks for, if it is nothing but plain pairs of one action; else None."""
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    actions, documents = lines[::2], list(map(bytes.strip, lines[1::2]))
    if not actions or len(actions) != len(documents) or not all(documents):
        return None
    try:
        text = enclosed(actions)
    except Refused:
        return None
    return next((found for one in _ALIKE if (found := _alike(one, text, documents, index))), None)


def _alike(
    one: tuple[str, Any, Any, Any], text: bytes, documents: list[bytes], index: str
) -> Asked | None:
    """Return the actions in *text* with their *documents*, if all are as *one* reads them."""
    name, decode, index_of, id_of = one
    try:
        given = decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    size = len(documents)
    names, ids = list(map(index_of, given)), list(map(id_of, given))
    if names.count(None) == size:
        names = [index] * size
    elif not index or not all(names):
        names = [one or index for one in names]
    longest = max(map(len, filter(None, ids)), default=0)
    is_plain = len(given) == size and all(names) and longest <= MAX_ID
    return Asked([name] * size, names, ids, documents) if is_plain else None


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


def answer(asked: Asked, new: Sequence[bool], took_ms: int) -> bytes:
    """Return the reply: keys in the order that shippers look for, a known ``_id`` as success.

    *new* tells for each item with a document whether its id was not stored before.
    """
    errors = None in asked.lines
    head = b'{"took":%d,"errors":%b,"items":[' % (took_ms, b"true" if errors else b"false")
    replies = None if errors or not all(new) else _created(asked)
    return head + (_each(asked, new) if replies is None else replies) + b"]}"


def _created(asked: Asked) -> bytes | None:
    """Return the replies to items that became events, if all are of one kind; else None."""
    if len(set(asked.actions)) != 1 or len(set(asked.names)) != 1:
        return None
    ids = orjson.dumps([one or "" for one in asked.ids])
    if b"\\" in ids:
        return None  # a quote in an id looks like the end of one
    head = b'{"%b":{"_index":%b,"_id":"' % (asked.actions[0].encode(), _quoted(asked.names[0]))
    tail = b'",%b}}' % _CREATED
    return head + ids[2:-2].replace(b'","', tail + b"," + head) + tail


def _each(asked: Asked, new: Sequence[bool]) -> bytes:
    seen = iter(new)
    return b",".join(
        b'{"%b":{"_index":%b,"_id":%b,%b}}'
        % (
            action.encode(),
            _quoted(index),
            orjson.dumps(one or ""),
            _REFUSED if line is None else _CREATED if next(seen) else _KNOWN,
        )
        for action, index, one, line in zip(*asked, strict=True)
    )


_CREATED, _KNOWN = b'"status":201', b'"status":200,"result":"noop"'
_REFUSED = (
    b'"status":400,"error":{"type":"illegal_argument_exception",'
    b'"reason":"events are never changed: use create"}'
)


@lru_cache(maxsize=1024)
def _quoted(name: str) -> bytes:
    return orjson.dumps(name)
