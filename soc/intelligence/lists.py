"""Lists in the store: replaced as a whole, so that the same file twice changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, delete, select

from soc.audit import Act, record
from soc.content.digest import digest_of
from soc.errors import NotFound, Refused
from soc.intelligence.indicator import NAME, Entry
from soc.model.value import rfc3339
from soc.store.locks import alone
from soc.store.tables import Indicator, IndicatorList

Key = tuple[str, str]


class About(NamedTuple):
    """What is said of a list as a whole. owner: who answers for it. source: where it comes from."""

    name: str
    owner: str
    source: str


class Imported(NamedTuple):
    """What an import changed. fresh: the values that were not in the list before."""

    version: int
    added: int
    changed: int
    removed: int
    unchanged: int
    fresh: tuple[Entry, ...]


def put(
    session: Session, about: About, entries: Sequence[Entry], actor: str, now: datetime
) -> Imported:
    """Let the list hold *entries* and nothing else; raises Refused for a name it cannot have."""
    if not NAME.fullmatch(about.name):
        raise Refused(f"{about.name}: a list is called by a-z, 0-9 and _, such as bad_wallets")
    if not about.owner.strip() or not about.source.strip():
        raise Refused("write who owns the list, and where it comes from")
    alone(session, f"list {about.name}")
    row = session.get(IndicatorList, about.name, with_for_update=True)
    digest = _digest(about, entries)
    if row and row.digest == digest:
        return Imported(row.version, 0, 0, 0, len(entries), ())
    is_new = row is None
    row = row or IndicatorList(
        name=about.name, owner="", source="", version=0, digest="", imported=now, imported_by=actor
    )
    row.owner, row.source, row.digest = about.owner, about.source, digest
    row.version, row.imported, row.imported_by = row.version + 1, now, actor
    session.add(row)
    session.flush()
    made = _replace(session, about.name, entries, now)._replace(version=row.version)
    words = f"{made.added} added, {made.changed} changed, {made.removed} removed"
    _act(session, about.name, "list.import" if is_new else "list.update", actor, now, words)
    return made


def remove(session: Session, name: str, reason: str, actor: str, now: datetime) -> None:
    """Forget a list; raises NotFound, Refused without a reason."""
    if not reason.strip():
        raise Refused("reason: write why the list is not needed any more")
    alone(session, f"list {name}")
    row = get(session, name)
    session.execute(delete(Indicator).where(col(Indicator.list) == name))
    session.delete(row)
    session.flush()
    _act(session, name, "list.remove", actor, now, reason.strip())


def get(session: Session, name: str) -> IndicatorList:
    """Return a list; raises NotFound."""
    row = session.get(IndicatorList, name)
    if row is None:
        raise NotFound("list", name)
    return row


def _replace(session: Session, name: str, entries: Sequence[Entry], now: datetime) -> Imported:
    query = select(Indicator).where(col(Indicator.list) == name)
    held: dict[Key, Indicator] = {(row.kind, row.value): row for row in session.exec(query)}
    wanted: dict[Key, Entry] = {(entry.kind, entry.value): entry for entry in entries}
    changed = 0
    for key, entry in wanted.items():
        if (row := held.get(key)) is not None:
            changed += _said(row) != (entry.confidence, entry.label, entry.expires)
            row.confidence, row.label, row.expires = entry.confidence, entry.label, entry.expires
    fresh = tuple(entry for key, entry in wanted.items() if key not in held)
    gone = [key for key in held if key not in wanted]
    for key in gone:
        session.delete(held[key])
    session.add_all(_row(name, entry, now) for entry in fresh)
    session.flush()
    kept = len(wanted) - len(fresh) - changed
    return Imported(0, len(fresh), changed, len(gone), kept, fresh)


def _row(name: str, entry: Entry, now: datetime) -> Indicator:
    return Indicator(
        list=name,
        kind=entry.kind,
        value=entry.value,
        subject=entry.subject,
        is_network=entry.is_network,
        confidence=entry.confidence,
        label=entry.label,
        expires=entry.expires,
        added=now,
    )


def _said(row: Indicator) -> tuple[float, str, datetime | None]:
    return row.confidence, row.label, row.expires


def _digest(about: About, entries: Sequence[Entry]) -> str:
    plain = [
        [e.kind, e.value, e.confidence, e.label, rfc3339(e.expires) if e.expires else None]
        for e in entries
    ]
    return digest_of([*about, plain])


def _act(session: Session, name: str, action: str, actor: str, now: datetime, words: str) -> None:
    about = f"list:{name}"
    record(session, Act(at=now, actor=actor, action=action, object=about, reason=words))
