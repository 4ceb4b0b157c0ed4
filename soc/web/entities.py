"""What is known of a wallet, an account, an address or a machine, in one place."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as PathParameter
from sqlmodel import Session, col, select

from soc.access.permissions import Permission
from soc.errors import LogError, NotFound
from soc.logs.filter import Equals
from soc.logs.port import Search
from soc.logs.reader import LogReader
from soc.model.value import Entity, EntityKind, rfc3339, whole
from soc.store.tables import (
    Alert,
    AlertEntity,
    Donation,
    Effect,
    EntityLabel,
    Incident,
    IncidentEntity,
)
from soc.web import views
from soc.web.asked import Plain, needs
from soc.web.front import Front

MOST = 50
EVENTS = 20
FIELDS = {
    EntityKind.WALLET: "wallet.address",
    EntityKind.ACCOUNT: "user.name",
    EntityKind.IP: "source.ip",
    EntityKind.HOST: "host.name",
}
"""Where events name whom."""
Name = Annotated[str, PathParameter(max_length=600, examples=["wallet:0xbad"])]


def add(routes: APIRouter, front: Front) -> None:
    """Add the route to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/entities/{name:path}", tags=["entities"], dependencies=[reads])
    def entity(name: Name) -> Plain:
        """Return what is known of somebody: labels, incidents, alerts, effects, gifts, events."""
        with front.reading() as looking:
            return whole_entity(looking, front.log.reader, name)


def whole_entity(session: Session, reader: LogReader, name: str) -> Plain:
    """Return all of it, the newest first, each part bounded; raises NotFound for no entity."""
    try:
        entity = Entity.parse(name)
    except ValueError as wrong:
        raise NotFound("entity", name) from wrong
    text = str(entity)
    labels = select(EntityLabel).where(col(EntityLabel.entity) == text)
    effects = select(Effect).where(col(Effect.subject) == text)
    return {
        "entity": text,
        "kind": entity.kind.value,
        "value": entity.value,
        "labels": [
            {"label": row.label, "by": row.by, "at": rfc3339(row.at)}
            for row in session.exec(labels.order_by(col(EntityLabel.label)))
        ],
        "incidents": _incidents(session, text),
        "alerts": _alerts(session, text),
        "effects": [
            views.effect(row)
            for row in session.exec(effects.order_by(col(Effect.created).desc()).limit(MOST))
        ],
        "gifts": _gifts(session, entity) if entity.kind is EntityKind.WALLET else [],
        **_events(reader, entity),
    }


def _incidents(session: Session, name: str) -> list[Plain]:
    query = (
        select(Incident)
        .join(IncidentEntity, col(IncidentEntity.incident) == col(Incident.id))
        .where(col(IncidentEntity.entity) == name)
        .order_by(col(Incident.id).desc())
        .limit(MOST)
    )
    return [views.incident(row) for row in session.exec(query)]


def _alerts(session: Session, name: str) -> list[Plain]:
    query = (
        select(Alert)
        .join(AlertEntity, col(AlertEntity.alert) == col(Alert.id))
        .where(col(AlertEntity.entity) == name)
        .order_by(col(Alert.id).desc())
        .limit(MOST)
    )
    return [views.alert(row) for row in session.exec(query)]


def _gifts(session: Session, entity: Entity) -> list[Plain]:
    """Return what a wallet gave, by round and project."""
    query = (
        select(Donation.round, Donation.project, Donation.amount)
        .where(col(Donation.wallet) == entity.value, col(Donation.on_chain).is_not(None))
        .order_by(col(Donation.round).desc(), col(Donation.project))
    )
    found: dict[tuple[str, str], list[int]] = {}
    for round_, project, amount in session.exec(query):
        found.setdefault((round_, project), []).append(whole(amount) or 0)
    return [
        {"round": round_, "project": project, "gifts": len(given), "amount": str(sum(given))}
        for (round_, project), given in found.items()
    ]


def _events(reader: LogReader, entity: Entity) -> dict[str, Any]:
    """Return the newest events that name *entity*; None where they cannot be read now."""
    field = FIELDS.get(entity.kind)
    if field is None:
        return {"query": None, "events": []}
    query = f"{field}:{_quoted(entity.value)}"
    try:
        rows = list(reader.search(Search(Equals(field, entity.value), limit=EVENTS)))
    except LogError:
        return {"query": query, "events": None}
    shown = ("seq", "source", "dataset", "action", "outcome", "message")
    return {
        "query": query,
        "events": [
            {"ts": rfc3339(row["ts"]), **{name: row.get(name) for name in shown}} for row in rows
        ],
    }


def _quoted(text: str) -> str:
    """Return *text* as the search language has it in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
