"""Put alerts that share an entity into one incident, and say why each is there.

What belongs together does not depend on what was found first: an alert that links two incidents
makes them one, and what was too harmless to open an incident joins the one that names the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, and_, col, select

from soc.incidents import alerts, lifecycle, links, moves, storms, suppressions
from soc.incidents.alerts import AlertState, Evidence
from soc.model.finding import SUITE, Finding
from soc.model.value import EntityKind, Severity, worse
from soc.store.tables import Alert, Incident, IncidentEntity
from soc.triage import Incidents

OPENED = "opened this incident"
MOST_ADOPTED = 1_000
"""Loose alerts that one finding brings in at most; the next one brings in the rest."""


@dataclass(frozen=True, slots=True)
class Change:
    """An incident that was opened, or gained an alert or entities, in this window."""

    incident: int
    opened: bool
    monitor: bool


def record(
    session: Session,
    findings: Iterable[Finding],
    events: Mapping[int, Evidence],
    now: datetime,
    settings: Incidents,
) -> tuple[Change, ...]:
    """Count *findings* into alerts and incidents; return which incidents changed.

    *events* are what stands behind the findings, by number: copied, so that they outlive the log.
    One transaction at a time changes incidents: two could open two for one wallet.
    """
    changes: dict[int, bool] = {}
    if not (found := list(findings)):
        return ()
    lifecycle.alone_with_incidents(session)
    quiet = suppressions.in_force(session, now)
    for finding, by in storms.together(found, quiet):
        is_hidden = quiet.hide(by)
        counted = alerts.count(session, finding, events, now, hidden=is_hidden)
        quiet.count(session, by, counted.alert, finding.count, now)
        if is_hidden:
            continue
        placing = _Placing(session, finding, now, settings)
        number, opened, grew = placing.place(counted.alert, counted.names)
        if number is not None and (counted.added or opened or grew):
            changes[number] = changes.get(number, False) or opened
    kept: dict[int, Change] = {}
    for number, opened in sorted(changes.items()):
        incident = session.get_one(Incident, lifecycle.root(session, number))
        assert incident.id is not None  # noqa: S101 - it was read
        known = kept.get(incident.id)
        was_opened = opened or bool(known and known.opened)
        kept[incident.id] = Change(incident.id, was_opened, incident.monitor)
    return tuple(kept[number] for number in sorted(kept))


class _Placing:
    """One finding on its way into an incident."""

    def __init__(
        self, session: Session, finding: Finding, now: datetime, settings: Incidents
    ) -> None:
        self._session, self._finding = session, finding
        self._now, self._settings = now, settings
        self._fit = links.alike(finding, settings, now)
        self._takes = and_(self._fit.incidents(), col(Incident.id).not_in(storms.storms()))

    def place(self, alert: Alert, names: frozenset[str]) -> tuple[int | None, bool, bool]:
        """Return the incident of *alert*, whether it was opened for it, and whether it grew."""
        incident, why, opened = self._find(alert, names)
        if incident is None:
            return None, False, False
        assert incident.id is not None  # noqa: S101 - it was read or flushed
        known = alert.incident == incident.id
        fresh = self._join(incident, alert, names, why)
        grew = bool(fresh) or not known
        # A storm names very many: what shares one of them is not all one incident.
        joins = grew and not storms.is_storm(self._session, incident.id)
        return self._together(incident.id, alert) if joins else incident.id, opened, grew

    def _find(self, alert: Alert, names: frozenset[str]) -> tuple[Incident | None, str, bool]:
        """Return where *alert* belongs, why, and whether that was opened for it."""
        session, finding = self._session, self._finding
        if alert.incident is not None:
            mine = session.get_one(Incident, alert.incident, with_for_update=True)
            return mine, alert.joined_by, False
        if finding.entity.kind is EntityKind.INCIDENT:
            number = int(finding.entity.value.removeprefix("INC-"))
            named = session.get(Incident, number, with_for_update=True)
            return named, f"shares {finding.entity} with this incident", False
        if shared := links.linked(session, alert, names, self._fit, self._takes):
            incident = links.main_of(session, shared)
            assert incident.id is not None  # noqa: S101 - it was read
            return incident, f"shares {shared[incident.id]} with this incident", False
        if not self._opens():
            return None, "", False
        if storm := storms.running(session, finding, self._now, self._settings):
            incident = session.get_one(Incident, storm, with_for_update=True)
            return incident, storms.why(finding, self._settings), False
        return self._open(alert, names)

    def _opens(self) -> bool:
        """Return whether the finding is bad enough; a score alone never is while it is low."""
        least = self._settings.open_from.severity_id
        if self._finding.score:
            least = max(least, Severity.MEDIUM.severity_id)
        return self._finding.severity.severity_id >= least

    def _open(self, alert: Alert, names: frozenset[str]) -> tuple[Incident, str, bool]:
        """Open an incident, or take up again the one before, as the settings say."""
        session, finding, why = self._session, self._finding, OPENED
        if earlier := links.before(session, alert, names, self._fit):
            last, what = earlier
            assert last.id is not None  # noqa: S101 - it was read
            if links.may_reopen(last, self._now - self._settings.reopen_within):
                why = f"reopened this incident: shares {what}"
                lifecycle.reopen(session, last.id, why, "soc", self._now)
                return last, why, True
            ended = f"closed as {last.verdict}" if last.verdict else last.state
            why = f"{OPENED}; INC-{last.id}, {ended}, shares {what}"
        incident = Incident(
            title=finding.title,
            severity=finding.severity,
            state="new",
            operations=finding.rule.startswith(SUITE),
            monitor=finding.monitor,
            first=finding.first,
            created=self._now,
            changed=self._now,
        )
        session.add(incident)
        session.flush()
        if storms.note(session, incident, finding, self._now, self._settings):
            why = storms.why(finding, self._settings)
        return incident, why, True

    def _join(
        self, incident: Incident, alert: Alert, names: frozenset[str], why: str
    ) -> frozenset[str]:
        """Put *alert* into *incident*; return who was not named in it before."""
        assert incident.id is not None  # noqa: S101 - it was read or flushed
        alert.incident, alert.state, alert.joined_by = incident.id, AlertState.IN_INCIDENT, why
        incident.severity = worse(incident.severity, alert.severity)
        incident.changed = self._now
        incident.first = min(incident.first, alert.first)
        if _tells_the_story(self._session, incident, alert):
            incident.title = alert.title
        fresh = names.difference(lifecycle.entities_of(self._session, incident.id))
        self._session.add_all(
            IncidentEntity(incident=incident.id, entity=name, added=self._now)
            for name in sorted(fresh)
        )
        self._session.flush()
        return fresh

    def _together(self, number: int, alert: Alert) -> int:
        """Bring in what belongs to *alert*, and to what that brings; return the incident now."""
        waiting, adopted = [alert], 0
        while waiting and adopted < MOST_ADOPTED:
            one = waiting.pop()
            names = alerts.entities_of(self._session, one.id or 0)
            shared = links.linked(self._session, one, names, self._fit, self._takes)
            main = links.main_of(self._session, {number, *shared}).id or number
            self._merge(main, {number, *shared}, f"ALR-{one.id} belongs to both")
            number = lifecycle.root(self._session, number)
            for other in links.loose(self._session, one, names, self._fit):
                if not links.parted(self._session, other, number):
                    self._adopt(number, other, names)
                    waiting.append(other)
                    adopted += 1
        return number

    def _adopt(self, number: int, alert: Alert, names: Iterable[str]) -> None:
        """Put an alert that was too harmless for an incident into the one that it belongs to."""
        named = frozenset(alerts.entities_of(self._session, alert.id or 0))
        shared = min(named.intersection(links.joinable(names)), default=alert.entity)
        why = f"shares {shared} with this incident, which came later"
        self._join(self._session.get_one(Incident, number), alert, named, why)

    def _merge(self, main: int, others: Iterable[int], why: str) -> None:
        for other in sorted(set(others) - {main}):
            row = self._session.get_one(Incident, other)
            if not links.is_worked(row) and not links.divided(self._session, main, other):
                moves.merge(self._session, other, main, why, "soc", self._now)


def _tells_the_story(session: Session, incident: Incident, alert: Alert) -> bool:
    """Return whether *alert* is what opened the incident, or the same seen again later."""
    if alert.joined_by.startswith(OPENED):
        return True
    query = select(Alert.id).where(
        col(Alert.incident) == incident.id,
        col(Alert.joined_by).startswith(OPENED),
        col(Alert.rule) == alert.rule,
        col(Alert.entity) == alert.entity,
    )
    return session.exec(query).first() is not None
