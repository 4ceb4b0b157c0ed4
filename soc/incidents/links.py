"""Which incidents and alerts belong together: what they share, and who said that they do not."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from soc.incidents.alerts import AlertState
from soc.incidents.lifecycle import OPEN, IncidentState, Verdict
from soc.incidents.moves import Kind
from soc.model.finding import SUITE, Finding
from soc.model.value import EntityKind
from soc.store.tables import Alert, AlertEntity, AlertMove, Incident, IncidentEntity
from soc.triage import Incidents

MOST_LOOSE = 1_000
"""Loose alerts that are brought in at once; the next finding brings in the rest."""
JOINING = ("wallet", "account", "ip")
"""Kinds of entities that join alerts of any rule; of others, all from there were one incident."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What alerts must have in common to be put together: the same mode, the same subject."""

    monitor: bool
    operations: bool
    since: datetime
    chains: tuple[tuple[str, ...], ...] = ()

    def chained(self, rule: str) -> list[str]:
        """Return the other rules whose alerts belong to those of *rule*, whoever they name."""
        return sorted({other for chain in self.chains if rule in chain for other in chain})

    def kind(self) -> ColumnElement[bool]:
        """Return what an incident must be, open or not, to be about the same kind of thing."""
        monitor, operations = col(Incident.monitor), col(Incident.operations)
        return and_(monitor == self.monitor, operations == self.operations)

    def incidents(self) -> ColumnElement[bool]:
        """Return what an incident must be that takes alerts now."""
        is_fresh = col(Incident.changed) > self.since
        return and_(col(Incident.state).in_(OPEN), self.kind(), is_fresh)


def alike(finding: Finding, policy: Incidents, now: datetime) -> Alike:
    """Return what *finding* may be put together with."""
    is_suite = finding.rule.startswith(SUITE)
    return Alike(finding.monitor, is_suite, now - policy.join_within, policy.chains)


def joinable(names: Iterable[str]) -> list[str]:
    """Return those of *names* that join alerts of any rule."""
    return sorted(name for name in names if name.partition(":")[0] in JOINING)


def linked(
    session: Session,
    alert: Alert,
    names: Iterable[str],
    fit: Alike,
    where: ColumnElement[bool],
) -> dict[int, str]:
    """Return the incidents fit by *where* that share something with *alert*, and what that is.

    They name one of *names*, or have an alert of the same rule about the same, or about one host,
    or of a rule of the same chain.
    """
    shared = (
        select(IncidentEntity.incident, IncidentEntity.entity)
        .join(Incident, col(Incident.id) == col(IncidentEntity.incident))
        .where(
            col(IncidentEntity.entity).in_(joinable(names)),
            col(IncidentEntity.ignored).is_(False),
            where,
        )
        .order_by(col(IncidentEntity.incident), col(IncidentEntity.entity).desc())
    )
    found = dict(session.exec(shared).all())
    about = (
        select(Alert.incident)
        .join(Incident, col(Incident.id) == col(Alert.incident))
        .where(_same(alert, fit), where)
        .distinct()
    )
    chained = fit.chained(alert.rule)
    what = f"the chain {', '.join(chained)}" if chained else alert.entity
    found = {one: what for one in session.exec(about) if one} | found
    return {one: what for one, what in sorted(found.items()) if not parted(session, alert, one)}


def _same(alert: Alert, fit: Alike) -> ColumnElement[bool]:
    """Return what another alert must be to belong to *alert* by its rules, or by its host."""
    same = col(Alert.entity) == alert.entity
    if not alert.entity.startswith(f"{EntityKind.HOST}:"):
        same = and_(same, col(Alert.rule) == alert.rule)
    chained = fit.chained(alert.rule)
    return or_(same, col(Alert.rule).in_(chained)) if chained else same


def loose(session: Session, alert: Alert, names: Iterable[str], fit: Alike) -> Sequence[Alert]:
    """Return alerts of no incident that belong to *alert*, which names *names*."""
    naming = select(AlertEntity.alert).where(col(AlertEntity.entity).in_(joinable(names)))
    query = (
        select(Alert)
        .where(
            or_(col(Alert.id).in_(naming), _same(alert, fit)),
            col(Alert.incident).is_(None),
            col(Alert.state).in_([AlertState.NEW, AlertState.ACKNOWLEDGED]),
            col(Alert.monitor) == fit.monitor,
            col(Alert.rule).startswith(SUITE, autoescape=True) == fit.operations,
            col(Alert.changed) > fit.since,
        )
        .order_by(col(Alert.id))
        .limit(MOST_LOOSE)
    )
    return session.exec(query).all()


def parted(session: Session, alert: Alert, incident: int) -> bool:
    """Return whether somebody took alerts of this rule about this out of *incident*."""
    query = (
        select(AlertMove.id)
        .join(Alert, col(Alert.id) == col(AlertMove.alert))
        .where(
            col(AlertMove.source) == incident,
            col(AlertMove.kind).in_([Kind.SPLIT, Kind.DETACH]),
            col(AlertMove.undone).is_(None),
            col(Alert.rule) == alert.rule,
            col(Alert.entity) == alert.entity,
        )
    )
    return session.exec(query.limit(1)).first() is not None


def divided(session: Session, one: int, other: int) -> bool:
    """Return whether somebody said that these two incidents are not the same.

    They took a merge back, or took alerts out of one of them that are like some of the other.
    """
    return any(
        session.exec(query.limit(1)).first() is not None
        for a, b in ((one, other), (other, one))
        for query in (_unmerged(a, b), _taken_out(a, b))
    )


def _unmerged(source: int, target: int) -> SelectOfScalar[Any]:
    return select(AlertMove.id).where(
        col(AlertMove.source) == source,
        col(AlertMove.target) == target,
        col(AlertMove.kind) == Kind.MERGE,
        col(AlertMove.undone).is_not(None),
    )


def _taken_out(source: int, other: int) -> SelectOfScalar[Any]:
    moved, alike_ = aliased(Alert), aliased(Alert)
    return (
        select(AlertMove.id)
        .join(moved, col(moved.id) == col(AlertMove.alert))
        .join(
            alike_,
            and_(col(alike_.rule) == col(moved.rule), col(alike_.entity) == col(moved.entity)),
        )
        .where(
            col(AlertMove.source) == source,
            col(AlertMove.kind).in_([Kind.SPLIT, Kind.DETACH]),
            col(AlertMove.undone).is_(None),
            col(alike_.incident) == other,
        )
    )


def is_worked(incident: Incident) -> bool:
    """Return whether a person has it: what people work is not merged under their hands."""
    return (
        incident.state != IncidentState.NEW
        or incident.owner is not None
        or incident.acknowledged is not None
    )


def main_of(session: Session, numbers: Collection[int]) -> Incident:
    """Return which of several incidents keeps its number: one that is worked, else the oldest."""
    found = [session.get_one(Incident, number, with_for_update=True) for number in sorted(numbers)]
    return min(found, key=lambda one: (not is_worked(one), one.id))


def before(
    session: Session, alert: Alert, names: Iterable[str], fit: Alike
) -> tuple[Incident, str] | None:
    """Return the last incident that came to rest and shares something with *alert*, and what."""
    naming = select(IncidentEntity.incident).where(
        col(IncidentEntity.entity).in_(joinable(names)), col(IncidentEntity.ignored).is_(False)
    )
    alike_ = select(Alert.incident).where(_same(alert, fit), col(Alert.incident).is_not(None))
    rested = (
        select(Incident)
        .where(
            or_(col(Incident.id).in_(naming), col(Incident.id).in_(alike_)),
            col(Incident.state).in_([IncidentState.RESOLVED, IncidentState.CLOSED]),
            col(Incident.merged_into).is_(None),
            fit.kind(),
        )
        .order_by(
            func.coalesce(col(Incident.resolved), col(Incident.changed)).desc(),
            col(Incident.id).desc(),
        )
    )
    last = session.exec(rested.limit(1)).first()
    if last is None:
        return None
    shared = linked(session, alert, names, fit, col(Incident.id) == last.id)
    return (last, shared[last.id or 0]) if shared else None


def may_reopen(incident: Incident, since: datetime) -> bool:
    """Return whether an incident that came to rest after *since* is taken up again by the same."""
    harmless = incident.verdict not in {None, Verdict.TRUE_POSITIVE}
    return not harmless and (incident.resolved or incident.changed) > since
