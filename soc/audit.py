"""Who did what, on what, why, and how it ended: written in the transaction of the act itself.

A row's hash is that of its RFC 6962 leaf, SHA-256 over a zero byte and the RFC 8785 JSON, so that
a tree can be built over all rows from the first day on. Leaf numbers are given after commit, by
one sequencer: no act waits for another.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, insert
from sqlmodel import Session, col, func, select

from soc.content.digest import canonical
from soc.model.value import Utc, Value, rfc3339
from soc.store.locks import alone
from soc.store.prepared import Prepared
from soc.store.tables import AuditRow

_ROWS: Table = AuditRow.__table__  # type: ignore[attr-defined]
_SAID = ("at", "actor", "action", "object", "outcome", "record", "hash")
_NEW = Prepared(insert(_ROWS).values({name: bindparam(name) for name in _SAID}).inline())


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
    row = {
        "at": act.at,
        "actor": act.actor,
        "action": act.action,
        "object": act.object,
        "outcome": act.outcome,
        "record": text.decode(),
        "hash": hashlib.sha256(b"\x00" + text).hexdigest(),
    }
    _NEW.run(session.connection(), row)


def number(session: Session) -> int:
    """Give leaf numbers to committed acts that have none; return how many there are now."""
    alone(session, "audit")
    # Not the count of them: a row that was taken out must not make two rows one leaf.
    last = session.exec(select(func.max(col(AuditRow.leaf)))).one()
    size = 0 if last is None else int(last) + 1
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
    """Return whether every act is there and still says what was written."""
    return next(problems(session), None) is None


def problems(session: Session) -> Iterator[str]:
    """Yield what is wrong: acts that were changed, and gaps where acts were taken out.

    What was taken off the end leaves no gap: only a copy that is kept elsewhere shows it.
    """
    for row in session.exec(select(AuditRow).order_by(col(AuditRow.id))):
        yield from _changes_of(row)
    expected = 0
    numbered = select(AuditRow.leaf).where(col(AuditRow.leaf).is_not(None))
    for leaf in session.exec(numbered.order_by(col(AuditRow.leaf))):
        number = leaf or 0
        if number > expected:
            yield f"{_acts(expected, number - 1)} missing"
        expected = number + 1


def _changes_of(row: AuditRow) -> Iterator[str]:
    name = f"act {row.leaf}" if row.leaf is not None else f"act without number (row {row.id})"
    if hashlib.sha256(b"\x00" + row.record.encode()).hexdigest() != row.hash:
        yield f"{name} was changed: its hash is not that of what it says"
        return
    said = orjson.loads(row.record)
    columns = {
        "at": rfc3339(row.at),
        "actor": row.actor,
        "action": row.action,
        "object": row.object,
        "outcome": row.outcome,
    }
    for column, value in columns.items():
        if said.get(column) != value:
            yield f"{name} was changed: its {column} is not that of its record"


def _acts(first: int, last: int) -> str:
    return f"act {first} is" if first == last else f"acts {first} to {last} are"
