"""Who did what, on what, why, and how it ended: written in the transaction of the act itself.

A row's hash is that of its RFC 6962 leaf, SHA-256 over a zero byte and the RFC 8785 JSON, so that
a tree can be built over all rows from the first day on. Leaf numbers are given after commit, by
one sequencer: no act waits for another.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from sqlmodel import Session, col, func, select

from soc.content.digest import canonical
from soc.model.value import Utc, Value, rfc3339
from soc.store.tables import AuditRow


class Act(Value):
    """One act.

    actor: ``user:NAME``, ``token:NAME``, ``os:LOGIN``, ``playbook:SLUG`` or ``soc``. action: a
    dotted verb such as ``incident.close``. object: ``kind:id``. outcome: done, refused or failed.
    """

    at: Utc
    actor: str
    action: str
    object: str
    outcome: str = "done"
    reason: str = ""
    detail: Mapping[str, str | int | bool | None] = {}


def record(session: Session, act: Act) -> None:
    """Write *act* in the transaction of *session*."""
    text = canonical({**act.model_dump(), "at": rfc3339(act.at)})
    session.add(
        AuditRow(
            at=act.at,
            actor=act.actor,
            action=act.action,
            object=act.object,
            outcome=act.outcome,
            record=text.decode(),
            hash=hashlib.sha256(b"\x00" + text).hexdigest(),
        )
    )


def number(session: Session) -> int:
    """Give leaf numbers to committed acts that have none; return how many there are now."""
    size = session.exec(select(func.count(col(AuditRow.leaf)))).one()
    waiting = select(AuditRow).where(col(AuditRow.leaf).is_(None)).order_by(col(AuditRow.id))
    for row in session.exec(waiting):
        row.leaf = size
        size += 1
    return size


def newest(session: Session, limit: int) -> Iterator[dict[str, Any]]:
    """Yield the newest *limit* acts, as recorded, with leaf number and hash."""
    for row in session.exec(select(AuditRow).order_by(col(AuditRow.id).desc()).limit(limit)):
        yield {**orjson.loads(row.record), "leaf": row.leaf, "hash": row.hash}


def is_whole(session: Session) -> bool:
    """Return whether every row still has the hash of what it says."""
    rows = session.exec(select(AuditRow.record, AuditRow.hash))
    return all(hashlib.sha256(b"\x00" + text.encode()).hexdigest() == seen for text, seen in rows)
