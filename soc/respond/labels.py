"""Labels that answers put on wallets, accounts and addresses; incidents that name them show it."""

from datetime import datetime

from sqlmodel import Session, col, select

from soc.audit import Act, record
from soc.store.tables import EntityLabel, IncidentEntity


def put(
    session: Session, entity: str, label: str, by: str, incident: int | None, now: datetime
) -> None:
    """Put *label* on *entity*; one that is there already stays as it is."""
    if session.get(EntityLabel, (entity, label), with_for_update=True):
        return
    session.add(EntityLabel(entity=entity, label=label, by=by, incident=incident, at=now))
    session.flush()
    record(session, Act(at=now, actor=by, action="entity.label", object=entity, reason=label))


def of_incident(session: Session, number: int) -> dict[str, list[str]]:
    """Return the labels of everybody who is named in an incident, by entity."""
    named = select(IncidentEntity.entity).where(col(IncidentEntity.incident) == number)
    query = select(EntityLabel).where(col(EntityLabel.entity).in_(named))
    found: dict[str, list[str]] = {}
    for row in session.exec(query.order_by(col(EntityLabel.entity), col(EntityLabel.label))):
        found.setdefault(row.entity, []).append(row.label)
    return found
