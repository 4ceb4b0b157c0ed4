"""Suppressions: what people do not want to be told of for a time, why, and what it hid.

An active one hides: the alert is kept and counted, and opens or joins no incident. In the mode
monitor it hides nothing and counts what it would have hidden. It ends by the clock, at the moment
at which a finding is recorded; from then on findings open alerts again.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from soc.audit import Act, record
from soc.errors import Illegal, NotFound, Refused
from soc.incidents.backtest import BackTest, backtest, check_seen
from soc.incidents.lifecycle import INCIDENTS
from soc.incidents.scope import Lists, Scope
from soc.model.finding import Finding
from soc.store import indicators
from soc.store.locks import alone
from soc.store.tables import Alert, Suppression, SuppressionHit

LONGEST = timedelta(days=90)


class Mode(StrEnum):
    """What a suppression does. monitor: it counts what it would hide. active: it hides."""

    MONITOR = "monitor"
    ACTIVE = "active"


class State(StrEnum):
    """Where a suppression is. expired: its time is over. withdrawn: somebody ended it before."""

    MONITOR = "monitor"
    ACTIVE = "active"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Wanted(Scope):
    """A suppression that somebody asks for. seen: of the back-test that was looked at."""

    owner: str
    reason: str
    mode: Mode
    until: datetime
    seen: str

    @property
    def scope(self) -> Scope:
        """Return what it is about."""
        return Scope(rule=self.rule, entity=self.entity, field=self.field, value=self.value)


def scope_in(row: Suppression) -> Scope:
    """Return what the suppression *row* is about."""
    return Scope(rule=row.rule, entity=row.entity, field=row.field, value=row.value)


def state_of(row: Suppression, now: datetime) -> State:
    """Return where the suppression *row* is at *now*."""
    if row.ended is not None:
        return State.WITHDRAWN
    return State.EXPIRED if row.until <= now else State(row.mode)


def test(session: Session, scope: Scope, now: datetime) -> BackTest:
    """Return what *scope* would have hidden lately."""
    return backtest(session, scope, lists_of(session, [scope], now), now)


def add(session: Session, wanted: Wanted, actor: str, now: datetime) -> Suppression:
    """Save a suppression; raises Refused for what is missing, Illegal for an unseen back-test."""
    if not wanted.reason.strip():
        raise Refused("reason: write why nobody needs to be told")
    if not wanted.owner.strip():
        raise Refused("owner: write who looks at it again, such as user:ines")
    if not now < wanted.until <= now + LONGEST:
        raise Refused(f"until: write a moment within the next {LONGEST.days} days")
    alone(session, INCIDENTS)
    scope = wanted.scope
    lists = lists_of(session, [scope], now)
    if scope.list_name is not None and not _is_list(session, scope.list_name):
        raise Refused(f"entity: there is no list {scope.list_name}: import it first")
    shown = check_seen(session, scope, lists, wanted.seen, now)
    row = Suppression(
        **scope.model_dump(),
        owner=wanted.owner.strip(),
        reason=wanted.reason.strip(),
        mode=wanted.mode,
        created=now,
        created_by=actor,
        until=wanted.until,
        seen=wanted.seen,
        backtest_json=shown.model_dump_json(),
    )
    session.add(row)
    session.flush()
    _act(session, row, "suppression.add", actor, now, f"{scope.words}: {row.reason}")
    return row


def withdraw(session: Session, number: int, reason: str, actor: str, now: datetime) -> Suppression:
    """End a suppression at once; raises Refused without a reason, Illegal if it is over."""
    if not reason.strip():
        raise Refused("reason: write why it ends now")
    alone(session, INCIDENTS)
    row = session.get(Suppression, number, with_for_update=True)
    if row is None:
        raise NotFound("suppression", f"SUP-{number}")
    if (state := state_of(row, now)) in {State.EXPIRED, State.WITHDRAWN}:
        raise Illegal(f"SUP-{number} is {state}: it hides nothing any more")
    row.ended, row.ended_by, row.end_reason = now, actor, reason.strip()
    session.add(row)
    _act(session, row, "suppression.withdraw", actor, now, reason.strip())
    return row


def get(session: Session, number: int) -> Suppression:
    """Return a suppression; raises NotFound."""
    row = session.get(Suppression, number)
    if row is None:
        raise NotFound("suppression", f"SUP-{number}")
    return row


def of_alert(session: Session, alert: int) -> Sequence[tuple[Suppression, SuppressionHit]]:
    """Return the suppressions that hid an alert or would have, with what each counted of it."""
    query = (
        select(Suppression, SuppressionHit)
        .join(SuppressionHit, col(SuppressionHit.suppression) == col(Suppression.id))
        .where(col(SuppressionHit.alert) == alert)
        .order_by(col(Suppression.id))
    )
    return session.exec(query).all()


class InForce:
    """The suppressions that count at one moment."""

    def __init__(self, rows: Sequence[Suppression], lists: Lists) -> None:
        self._scopes = [(row, scope_in(row)) for row in rows]
        self._lists = lists

    def of(self, finding: Finding) -> tuple[int, ...]:
        """Return those that count *finding*: all in monitor, and the first that hides it."""
        found = [row for row, scope in self._scopes if scope.hides(finding, self._lists)]
        hiding = [row for row in found if row.mode == Mode.ACTIVE][:1]
        watching = [row for row in found if row.mode == Mode.MONITOR]
        return tuple(sorted(row.id or 0 for row in [*hiding, *watching]))

    def hide(self, numbers: tuple[int, ...]) -> bool:
        """Return whether one of *numbers* hides."""
        return any(row.id in numbers and row.mode == Mode.ACTIVE for row, _ in self._scopes)

    def count(
        self,
        session: Session,
        numbers: tuple[int, ...],
        alert: Alert,
        findings: int,
        now: datetime,
    ) -> None:
        """Write down that *numbers* hid so many *findings* of *alert*, or would have."""
        assert alert.id is not None  # noqa: S101 - flushed when it was counted
        for row in (row for row, _ in self._scopes if row.id in numbers):
            hit = session.get(SuppressionHit, (row.id, alert.id))
            row.alerts += hit is None
            hit = hit or SuppressionHit(
                suppression=row.id or 0, alert=alert.id, first=now, last=now
            )
            hit.findings, hit.last = hit.findings + findings, now
            row.findings, row.last_hit = row.findings + findings, now
            session.add_all([row, hit])


def in_force(session: Session, now: datetime) -> InForce:
    """Return what counts at *now*. Hold the lock INCIDENTS: what it counts is written to them."""
    query = select(Suppression).where(
        col(Suppression.until) > now, col(Suppression.ended).is_(None)
    )
    fresh = query.order_by(col(Suppression.id)).execution_options(populate_existing=True)
    rows = session.exec(fresh).all()
    return InForce(rows, lists_of(session, map(scope_in, rows), now))


def lists_of(session: Session, scopes: Iterator[Scope] | Sequence[Scope], now: datetime) -> Lists:
    """Return whom the lists have in them that *scopes* name."""
    names = {scope.list_name for scope in scopes}
    return {name: indicators.members(session, name, now) for name in sorted(filter(None, names))}


def _is_list(session: Session, name: str) -> bool:
    return session.get(indicators.IndicatorList, name) is not None


def _act(
    session: Session, row: Suppression, action: str, actor: str, now: datetime, why: str
) -> None:
    detail = {"mode": row.mode, "until": row.until.isoformat(), "seen": row.seen}
    act = Act(
        at=now,
        actor=actor,
        action=action,
        object=f"suppression:{row.id}",
        reason=why,
        detail=detail,
    )
    record(session, act)
