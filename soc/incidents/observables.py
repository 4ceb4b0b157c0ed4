"""Who and what an incident is about: named by alerts, or by people, and what is alike elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from soc.errors import Illegal
from soc.incidents import lifecycle
from soc.incidents.links import joinable
from soc.model.value import Entity
from soc.store.tables import Alert, Incident, IncidentEntity

CAIP10 = re.compile(r"eip155:[0-9]{1,32}:(0x[0-9a-fA-F]{40})")
MOST_RULES = 8
COMMON = 200
"""An entity that more incidents than this name says nothing about likeness."""
MOST_ALIKE = 8
RAREST = 500
"""Entities that are looked for elsewhere, the rarest first."""


@dataclass(frozen=True, slots=True)
class Similar:
    """Another incident, and what it shares with this one."""

    incident: Incident
    entities: tuple[str, ...]
    rules: tuple[str, ...]


def parse(text: str) -> str:
    """Return the entity that *text* names; a wallet may be a CAIP-10 account; raises Illegal."""
    account = CAIP10.fullmatch(text.strip())
    try:
        return str(Entity.parse(f"wallet:{account[1]}" if account else text.strip()))
    except ValueError as wrong:
        raise Illegal(
            "write kind and value, such as wallet:0xab… or ip:192.0.2.1, or eip155:1:0x…"
        ) from wrong


def name(
    session: Session,
    number: int,
    text: str,
    actor: str,
    now: datetime,
    ignored: bool | None = None,  # noqa: FBT001 - None leaves it as it is
) -> None:
    """Name somebody in an incident by hand, and say whether sharing them means anything."""
    incident, entity = lifecycle.held(session, number), parse(text)
    row = session.get(IncidentEntity, (number, entity))
    if row is None:
        row = IncidentEntity(incident=number, entity=entity, added=now, by=actor)
        session.add(row)
        incident.changed = now
        lifecycle.acknowledge(session, number, actor, now)
        lifecycle.told(session, incident, "incident.name", actor, now, entity)
    if ignored is not None and row.ignored != ignored:
        row.ignored = ignored
        session.add(row)
        verb = "ignore" if ignored else "regard"
        lifecycle.told(session, incident, f"incident.{verb}", actor, now, entity)


def similar(session: Session, number: int) -> list[Similar]:
    """Return other incidents that share entities or rules with this one, the most alike first."""
    shared = _sharing(session, number)
    rules = _same_rules(session, number)
    ranked = sorted(
        set(shared) | set(rules),
        key=lambda one: (-len(shared.get(one, ())), -len(rules.get(one, ())), -one),
    )[:MOST_ALIKE]
    found = session.exec(select(Incident).where(col(Incident.id).in_(ranked)))
    rows = {row.id: row for row in found}
    return [
        Similar(rows[one], tuple(shared.get(one, ())), tuple(rules.get(one, ()))) for one in ranked
    ]


def _sharing(session: Session, number: int) -> dict[int, list[str]]:
    """Return incidents that name a rare entity of this one, each with those entities."""
    own = select(IncidentEntity.entity).where(
        col(IncidentEntity.incident) == number, col(IncidentEntity.ignored).is_(False)
    )
    counted = (
        select(IncidentEntity.entity, func.count())
        .where(col(IncidentEntity.entity).in_(own))
        .group_by(col(IncidentEntity.entity))
        .having(func.count().between(2, COMMON))
    )
    often = dict(session.exec(counted).all())
    rare = sorted(joinable(often), key=lambda name: (often[name], name))[:RAREST]
    query = select(IncidentEntity.incident, IncidentEntity.entity).where(
        col(IncidentEntity.entity).in_(rare),
        col(IncidentEntity.ignored).is_(False),
        col(IncidentEntity.incident) != number,
    )
    found: dict[int, list[str]] = {}
    for incident, entity in session.exec(query.order_by(col(IncidentEntity.entity))):
        found.setdefault(incident, []).append(entity)
    return _standing(session, found)


def _standing(session: Session, found: Mapping[int, list[str]]) -> dict[int, list[str]]:
    """Leave out incidents that are part of another: that one shares the same."""
    most = sorted(found, key=lambda one: (-len(found[one]), -one))[: MOST_ALIKE * 4]
    whole = select(Incident.id).where(
        col(Incident.id).in_(most), col(Incident.merged_into).is_(None)
    )
    return {one: found[one] for one in session.exec(whole) if one}


def _same_rules(session: Session, number: int) -> dict[int, list[str]]:
    """Return the newest incidents with an alert of one of the rules of this one."""
    own = select(Alert.rule).where(col(Alert.incident) == number).distinct().limit(MOST_RULES)
    found: dict[int, list[str]] = {}
    for rule in sorted(session.exec(own)):
        query = (
            select(Alert.incident)
            .where(col(Alert.rule) == rule, col(Alert.incident) != number)
            .order_by(col(Alert.id).desc())
            .limit(MOST_ALIKE)
        )
        for incident in session.exec(query):
            if incident and rule not in found.setdefault(incident, []):
                found[incident].append(rule)
    return _standing(session, found)
