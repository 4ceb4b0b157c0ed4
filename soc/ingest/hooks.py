"""What a webhook brings: its body as it is, one event or one for each item of a list."""

from datetime import datetime

import msgspec
import orjson

from soc.errors import Refused
from soc.ingest.parse import Intake
from soc.model.event import Reject, Row
from soc.model.value import rfc3339

WHOLE = "."
"""What stands for a body that is a list itself."""


def items_of(body: bytes, items: str | None) -> list[bytes]:
    """Return the events in *body*, each as it was written; raises Refused where there is no list.

    items: the dotted name of the list, ``.`` for the body itself, or None for one event.
    """
    if items is None:
        return [body] if body.strip() else []
    try:
        found = msgspec.Raw(body)
        for name in [] if items == WHOLE else items.split("."):
            found = msgspec.json.decode(found, type=dict[str, msgspec.Raw])[name]
        return [bytes(one) for one in msgspec.json.decode(found, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as wrong:
        where = "the body" if items == WHOLE else items
        raise Refused(f"{where} is no list of events: {wrong}") from wrong


def read(
    intake: Intake, items: list[bytes], form: str, dataset: str, key: str, at: datetime
) -> list[Row | Reject]:
    """Return an event or a reject for each item, with ids that are the same when it comes again.

    An object that no parser takes, having no time where one is known, becomes an event of
    *dataset* that happened *at*; the object is whole below ``hook``.
    """
    ids = [f"hook:{key}:{number}" for number in range(len(items))]
    rows = intake.read(list(zip(items, ids, strict=True)), form)
    lost = [n for n, row in enumerate(rows) if isinstance(row, Reject) and _is_json(items[n])]
    again = [(_wrapped(items[n], dataset, ids[n], at), ids[n]) for n in lost]
    for n, row in zip(lost, intake.read(again, "ecs"), strict=True):
        if isinstance(row, Row):
            rows[n] = row
    return rows


def _is_json(item: bytes) -> bool:
    """Return whether *item* is JSON by itself: only that stays within what is put around it."""
    try:
        orjson.loads(item)
    except orjson.JSONDecodeError:
        return False
    return True


def _wrapped(item: bytes, dataset: str, id_: str, at: datetime) -> bytes:
    """Return an event around *item*, which stays as it was written."""
    head = orjson.dumps(
        {
            "@timestamp": rfc3339(at),
            "event": {"id": id_, "dataset": dataset, "kind": "event"},
            "soc": {"time_guessed": True},
        }
    )
    return head[:-1] + b',"hook":' + item.strip() + b"}"
