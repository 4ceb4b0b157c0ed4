"""The ``_bulk`` body: action and document, line by line, as OpenSearch clients write it."""

from dataclasses import dataclass

import orjson

from soc.errors import Refused

TAKEN = frozenset({"create", "index"})
KNOWN = TAKEN | {"delete", "update"}
MAX_ID = 512


@dataclass(frozen=True, slots=True)
class Item:
    """One action. line: its document, or None where the action itself is refused."""

    action: str
    index: str
    id: str | None
    line: bytes | None


def parse(body: bytes, index: str) -> list[Item]:
    """Return what *body* asks for, with *index* where an action names none.

    Raises Refused, naming the line, for a body whose pairs do not fit: then nothing is stored.
    """
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
            document = stripped if action.action in TAKEN else None
            items.append(Item(action.action, action.index, action.id, document))
            action = None
    if action is not None:
        raise Refused("the last action has no document: send pairs of lines")
    return items


def _action(line: bytes, index: str, number: int) -> Item:
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError as wrong:
        raise Refused(f"line {number}: an action must be a JSON object: {wrong.msg}") from wrong
    if not isinstance(given, dict) or len(given) != 1 or not KNOWN.issuperset(given):
        raise Refused(f'line {number}: write an action such as {{"create": {{}}}}')
    name, about = next(iter(given.items()))
    if not isinstance(about, dict):
        raise Refused(f"line {number}: what follows {name!r} must be an object")
    named, event_id = about.get("_index") or index, about.get("_id")
    if not isinstance(named, str) or not named:
        raise Refused(f"line {number}: no index: name it in the action or the path")
    if event_id is not None and (not isinstance(event_id, str) or len(event_id) > MAX_ID):
        raise Refused(f"line {number}: _id must be text of at most {MAX_ID} characters")
    return Item(name, named, event_id, None)


def answer(items: list[Item], known: list[bool], took_ms: int) -> bytes:
    """Return the reply: keys in the order that shippers look for, a known ``_id`` as success.

    *known* tells for each item with a document whether its id was stored before.
    """
    seen = iter(known)
    replies, errors = [], False
    for item in items:
        about: dict[str, object] = {"_index": item.index, "_id": item.id or ""}
        if item.line is None:
            errors = True
            reason = {
                "type": "illegal_argument_exception",
                "reason": "events are never changed: use create",
            }
            about |= {"status": 400, "error": reason}
        elif next(seen):
            about |= {"status": 200, "result": "noop"}
        else:
            about |= {"status": 201}
        replies.append({item.action: about})
    return orjson.dumps({"took": took_ms, "errors": errors, "items": replies})
