"""Rows about the work: incidents, verdicts, answers, what stood still.

Left out everywhere: incidents about the suite itself, those of rules that are only watched, and
those that were a test or a duplicate.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import col, func, or_, select

from soc.incidents.kpis.rows import HOUR, MOST_ROWS, Row, Rows, Sources, at, whole
from soc.incidents.lifecycle import OPEN, Verdict
from soc.store.tables import (
    Alert,
    AlertEvent,
    Approval,
    ApprovalVote,
    DetectorWindow,
    Effect,
    Incident,
    Run,
)

AT_ONCE = 500
"""Events that one question names."""
SOURCE_GAPS = ("soc-source-silent", "soc-telemetry-gap")
DETECTOR_GAPS = ("soc-detector-failed", "soc-rules-failed")
PART: Any = aliased(Incident)
WHOLE: Any = func.coalesce(PART.merged_into, PART.id)
"""An incident that something was done for, and the one that it is part of now."""
DECIDED = (Verdict.TRUE_POSITIVE, Verdict.BENIGN_POSITIVE, Verdict.FALSE_POSITIVE)


def incidents(given: Sources) -> Rows:
    """Return one row for each incident that was made in the window, with its clocks."""
    found = _incidents(given, col(Incident.created))
    numbers = [row.id or 0 for row in found]
    ingested, contained = _ingested(given, numbers), _contained(given, numbers)
    return whole(
        [
            {
                "incident": row.id,
                "severity": row.severity,
                "state": row.state,
                "verdict": row.verdict,
                "occurred_us": at(row.first),
                "ingested_us": ingested.get(row.id or 0),
                "detected_us": at(row.created),
                "acknowledged_us": at(row.acknowledged),
                "contained_us": contained.get(row.id or 0),
                "resolved_us": at(row.resolved),
                "reopened": row.reopened,
            }
            for row in found
        ],
        max((row.changed for row in found), default=None),
    )


def verdicts(given: Sources) -> Rows:
    """Return one row for each rule and incident that was decided in the window."""
    decided = col(Incident.verdict).in_(DECIDED)
    query = (
        select(
            Alert.rule,
            col(Incident.id),
            col(Incident.verdict),
            func.max(col(Incident.changed)),
        )
        .join(Incident, col(Incident.id) == col(Alert.incident))
        .where(*_counted(given, col(Incident.closed)), decided)
        .group_by(col(Alert.rule), col(Incident.id), col(Incident.verdict))
        .order_by(col(Alert.rule), col(Incident.id))
        .limit(MOST_ROWS + 1)
    )
    found = given.session.exec(query).all()
    names = ("rule", "incident", "verdict")
    rows = [dict(zip(names, row[:-1], strict=True)) for row in found]
    return whole(rows, max((row[-1] for row in found), default=None))


def decided(given: Sources) -> Rows:
    """Return one row for each incident that was decided in the window."""
    found = [row for row in _incidents(given, col(Incident.closed)) if row.verdict in DECIDED]
    return whole(
        [
            {"incident": row.id, "verdict": row.verdict, "closed_us": at(row.closed)}
            for row in found
        ],
        max((row.changed for row in found), default=None),
    )


def backlog(given: Sources) -> Rows:
    """Return one row for each incident that is open now, whenever it was made."""
    found = given.session.exec(
        select(Incident)
        .where(*_real(), col(Incident.state).in_(OPEN))
        .order_by(col(Incident.id))
        .limit(MOST_ROWS + 1)
    ).all()
    until = given.within[1]
    return whole(
        [
            {
                "incident": row.id,
                "severity": row.severity,
                "state": row.state,
                "detected_us": at(row.created),
                "age_us": until - (at(row.created) or until),
            }
            for row in found
        ],
        given.until,
    )


def answers(given: Sources) -> Rows:
    """Return one row for each incident of the window: whether playbooks answered it alone."""
    found = _incidents(given, col(Incident.created))
    numbers = [row.id or 0 for row in found]
    alone = _answered(given, numbers) - _voted(given, numbers)
    return whole(
        [{"incident": row.id, "automated": int(row.id in alone)} for row in found],
        max((row.changed for row in found), default=None),
    )


def source_gaps(given: Sources) -> Rows:
    """Return the alerts about sources that fell silent, or whose events are missing."""
    return _gaps(given, SOURCE_GAPS)


def detector_gaps(given: Sources) -> Rows:
    """Return the alerts about detectors and rules that could not judge."""
    return _gaps(given, DETECTOR_GAPS)


def suspicious(given: Sources) -> Rows:
    """Return how many security alerts were made in each hour of the clock, if there were any."""
    since, until = given.since, given.until
    query = select(Alert.created).where(
        ~col(Alert.rule).startswith("soc-"),
        col(Alert.monitor).is_(False),
        col(Alert.created) >= since,
        col(Alert.created) < until,
    )
    hours: dict[int, int] = {}
    newest = None
    for made in given.session.exec(query.order_by(col(Alert.created))):
        begin = (at(made) or 0) // HOUR * HOUR
        hours[begin], newest = hours.get(begin, 0) + 1, made
    return whole([{"hour_us": hour, "alerts": n} for hour, n in hours.items()], newest)


def has_watched(given: Sources) -> bool:
    """Return whether any detector has ever looked at events: else no alert means nothing."""
    moved = select(DetectorWindow.detector).where(col(DetectorWindow.moved).is_not(None))
    return given.session.exec(moved.limit(1)).first() is not None


def _real() -> tuple[ColumnElement[bool], ...]:
    excluded = (Verdict.TEST, Verdict.DUPLICATE)
    return (
        col(Incident.operations).is_(False),
        col(Incident.monitor).is_(False),
        col(Incident.merged_into).is_(None),
        or_(col(Incident.verdict).is_(None), col(Incident.verdict).not_in(excluded)),
    )


def _counted(given: Sources, clock: Any) -> tuple[ColumnElement[bool], ...]:  # noqa: ANN401 - a column
    return (*_real(), clock >= given.since, clock < given.until)


def _incidents(given: Sources, clock: Any) -> Sequence[Incident]:  # noqa: ANN401 - a column
    query = select(Incident).where(*_counted(given, clock)).order_by(col(Incident.id))
    return given.session.exec(query.limit(MOST_ROWS + 1)).all()


def _of(numbers: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that PART is one of *numbers*, or part of one."""
    return or_(col(PART.id).in_(numbers), col(PART.merged_into).in_(numbers))


def _contained(given: Sources, numbers: Sequence[int]) -> dict[int, int | None]:
    """Return when the first effect that holds somebody back was verified, by incident."""
    found: dict[int, int | None] = {}
    for some in _parts(numbers):
        query = (
            select(WHOLE, func.min(col(Effect.verified)))
            .select_from(Effect)
            .join(PART, col(PART.id) == col(Effect.incident))
            .where(
                _of(some),
                col(Effect.verified).is_not(None),
                col(Effect.kind) != "allow",
            )
            .group_by(WHOLE)
        )
        found |= {number or 0: at(first) for number, first in given.session.exec(query)}
    return found


def _ingested(given: Sources, numbers: Sequence[int]) -> dict[int, int]:
    """Return when the first event behind each incident was taken in, as far as it is still kept."""
    first: dict[int, int] = {}
    for some in _parts(numbers):
        query = (
            select(col(Alert.incident), col(AlertEvent.ts), col(AlertEvent.seq))
            .join(AlertEvent, col(AlertEvent.alert) == col(Alert.id))
            .where(col(Alert.incident).in_(some))
            .order_by(col(Alert.incident), col(AlertEvent.ts).desc(), col(AlertEvent.seq).desc())
        )
        first |= {number or 0: seq for number, _, seq in given.session.exec(query)}
    taken: dict[int, int] = {}
    for seqs in _parts(sorted(set(first.values()))):
        named = ", ".join(str(int(seq)) for seq in seqs)
        asked = f"SELECT seq, epoch_us(ingested) AS at FROM events WHERE seq IN ({named})"  # noqa: S608 - numbers
        taken |= {row["seq"]: row["at"] for row in given.ask(asked).rows}
    return {number: taken[seq] for number, seq in first.items() if seq in taken}


def _answered(given: Sources, numbers: Sequence[int]) -> set[int]:
    done: set[int] = set()
    for some in _parts(numbers):
        query = (
            select(WHOLE)
            .select_from(Run)
            .join(PART, col(PART.id) == col(Run.incident))
            .where(
                _of(some),
                col(Run.kind) == "playbook",
                col(Run.mode) == "live",
                col(Run.state) == "done",
                col(Run.requested_by) == "soc",
            )
        )
        done |= {number or 0 for number in given.session.exec(query.distinct())}
    return done


def _voted(given: Sources, numbers: Sequence[int]) -> set[int]:
    asked: set[int] = set()
    for some in _parts(numbers):
        query = (
            select(WHOLE)
            .select_from(PART)
            .join(Approval, col(Approval.incident) == col(PART.id))
            .join(ApprovalVote, col(ApprovalVote.approval) == col(Approval.id))
            .where(_of(some))
        )
        asked |= {number or 0 for number in given.session.exec(query.distinct())}
    return asked


def _gaps(given: Sources, rules: Sequence[str]) -> Rows:
    query = select(Alert).where(
        col(Alert.rule).in_(rules),
        col(Alert.created) >= given.since,
        col(Alert.created) < given.until,
    )
    found = given.session.exec(query.order_by(col(Alert.id)).limit(MOST_ROWS + 1)).all()
    rows: list[Row] = [
        {
            "alert": row.id,
            "rule": row.rule,
            "about": row.entity,
            "first_us": at(row.first),
            "last_us": at(row.last),
            "count": row.count,
        }
        for row in found
    ]
    return whole(rows, max((row.changed for row in found), default=None))


def _parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[begin : begin + AT_ONCE] for begin in range(0, len(numbers), AT_ONCE)]
