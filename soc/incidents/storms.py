"""Many findings at once: equal ones are counted as one, different ones share a storm incident."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from soc.content.kinds import duration_text
from soc.incidents.alerts import key_of
from soc.incidents.lifecycle import OPEN
from soc.incidents.suppressions import InForce
from soc.model.finding import Finding
from soc.store.tables import Incident, IncidentOpening
from soc.triage import Incidents


class Taken(NamedTuple):
    """A finding, or equal ones as one, and the suppressions that count it."""

    finding: Finding
    by: tuple[int, ...]


def together(findings: Iterable[Finding], quiet: InForce) -> list[Taken]:
    """Return *findings* with those of one alert made one, in the order of the first of each."""
    groups: dict[tuple[str, tuple[int, ...]], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((key_of(finding), quiet.of(finding)), []).append(finding)
    return [Taken(_as_one(alike), by) for (_, by), alike in groups.items()]


def running(session: Session, finding: Finding, now: datetime, settings: Incidents) -> int | None:
    """Return the storm incident that takes what would open another one, while there is one."""
    query = (
        select(Incident.id)
        .join(IncidentOpening, col(IncidentOpening.incident) == col(Incident.id))
        .where(
            col(IncidentOpening.rule) == finding.rule,
            col(IncidentOpening.monitor) == finding.monitor,
            col(IncidentOpening.storm).is_(True),
            col(Incident.state).in_(OPEN),
            col(Incident.changed) > now - settings.storm_within,
        )
        .order_by(col(Incident.id))
    )
    return session.exec(query).first()


def note(
    session: Session, incident: Incident, finding: Finding, now: datetime, settings: Incidents
) -> bool:
    """Write down that *finding* opened *incident*; return whether that one is a storm incident."""
    assert incident.id is not None  # noqa: S101 - flushed when it was opened
    query = select(func.count()).where(
        col(IncidentOpening.rule) == finding.rule,
        col(IncidentOpening.monitor) == finding.monitor,
        col(IncidentOpening.at) > now - settings.storm_within,
    )
    is_storm = session.exec(query).one() >= settings.storm_after
    row = IncidentOpening(
        incident=incident.id, rule=finding.rule, monitor=finding.monitor, at=now, storm=is_storm
    )
    session.add(row)
    if is_storm:
        incident.title = f"Storm: {finding.rule} finds more than can be shown one by one"
    session.flush()
    return is_storm


def why(finding: Finding, settings: Incidents) -> str:
    """Return why a storm incident takes *finding*."""
    span = duration_text(settings.storm_within)
    return f"storm: {finding.rule} opened {settings.storm_after} incidents within {span}"


def storms() -> SelectOfScalar[int]:
    """Return the query of storm incidents: nothing joins them because it shares somebody."""
    return select(IncidentOpening.incident).where(col(IncidentOpening.storm).is_(True))


def is_storm(session: Session, number: int) -> bool:
    """Return whether an incident takes what would open too many others."""
    row = session.get(IncidentOpening, number)
    return row is not None and row.storm


def _as_one(alike: Sequence[Finding]) -> Finding:
    first, last = alike[0], alike[-1]
    if len(alike) == 1:
        return first
    scored = [one.score for one in alike if one.score]
    named = dict.fromkeys(entity for one in alike for entity in one.entities)
    seqs = dict.fromkeys(seq for one in alike for seq in one.seqs)
    changed = {
        "title": last.title,
        "count": sum(one.count for one in alike),
        "first": min(one.first for one in alike),
        "last": max(one.last for one in alike),
        "entities": tuple(named),
        "seqs": tuple(seqs),
        "severity": max((one.severity for one in alike), key=lambda severity: severity.severity_id),
        "score": max(scored, key=lambda score: score.value) if scored else None,
    }
    return first.model_copy(update=changed)
