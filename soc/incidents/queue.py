"""The queue: incidents, the worst first and of these the newest, found without sorting them all."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, func, or_, select

from soc.model.value import EntityKind, Severity
from soc.store.tables import Incident, IncidentEntity

Wanted = Sequence[ColumnElement[bool]]
FEW = 2_000
"""Incidents that one question to the store names; of more, a search says that there are more."""
WALLET = re.compile(r"(0x[0-9a-f]{1,40})(?:…([0-9a-f]{1,40}))?")
DIGITS = re.compile(r"[0-9a-f]{4,}")


class Search(NamedTuple):
    """By what incidents are found. few: they are FEW at most, so that they can be counted."""

    condition: ColumnElement[bool]
    few: bool = True


def listed(
    session: Session, wanted: Wanted, begin: int, size: int, total: int | None = None
) -> list[Incident]:
    """Return *size* incidents fit by *wanted*, from place *begin* on.

    total: how many there are; None if there are too many to say.
    """
    few = total is not None and total <= FEW
    find = _sorted if few else _walked
    numbers = find(session, wanted, begin + size)[begin:]
    found = session.exec(select(Incident).where(col(Incident.id).in_(numbers)))
    rows = {row.id: row for row in found}
    return [rows[number] for number in numbers]


def _sorted(session: Session, wanted: Wanted, most: int) -> list[int | None]:
    found = session.exec(select(Incident.severity, Incident.id).where(*wanted))
    ranked = sorted(((Severity(severity).severity_id, number) for severity, number in found))
    return [number for _, number in ranked[::-1][:most]]


def _walked(session: Session, wanted: Wanted, most: int) -> list[int | None]:
    """Take them from the index of each severity, newest first, until there are enough."""
    numbers: list[int | None] = []
    for severity in reversed(Severity):
        of_one = col(Incident.severity) == severity
        query = select(col(Incident.id)).where(*wanted, of_one).order_by(col(Incident.id).desc())
        numbers += session.exec(query.limit(most - len(numbers)))
        if len(numbers) == most:
            break
    return numbers


def newest(session: Session, wanted: Wanted, begin: int, size: int) -> list[Incident]:
    """Return the same with the newest first, however bad: for what is over."""
    found = select(Incident).where(*wanted).order_by(col(Incident.id).desc())
    return list(session.exec(found.offset(begin).limit(size)))


def count(session: Session, wanted: Wanted) -> int:
    """Return how many incidents are fit by *wanted*."""
    return session.exec(select(func.count()).select_from(Incident).where(*wanted)).one()


def search(session: Session, text: str) -> Search:
    """Return by what incidents are found that have *text* in their title or name such an entity.

    A wallet is found by how its address begins, as lists shorten it, or by some of its digits.
    """
    text = text.lower().removeprefix(f"{EntityKind.WALLET}:")
    titled = col(Incident.title).icontains(text, autoescape=True)
    named = select(IncidentEntity.incident).where(_named(text))
    found = set(session.exec(named.distinct().limit(FEW + 1)).all())
    if not WALLET.fullmatch(text):
        found.update(filter(None, session.exec(select(Incident.id).where(titled).limit(FEW + 1))))
        if len(found) > FEW:
            return Search(or_(titled, col(Incident.id).in_(named)), few=False)
    elif len(found) > FEW:
        return Search(col(Incident.id).in_(named), few=False)
    return Search(col(Incident.id).in_(sorted(found)))


def _named(text: str) -> ColumnElement[bool]:
    entity = col(IncidentEntity.entity)
    if address := WALLET.fullmatch(text):
        begins, ends = f"{EntityKind.WALLET}:{address[1]}", address[2] or ""
        return and_(entity >= begins, entity <= f"{begins}g", entity.endswith(ends))
    within = entity.contains(text, autoescape=True)
    if DIGITS.fullmatch(text):
        return within
    # Most entities are wallets, and other words are in none of them.
    return and_(or_(entity < f"{EntityKind.WALLET}:", entity > f"{EntityKind.WALLET};"), within)
