"""Stop all response at once: while it is stopped nobody is held back anew, asked or not.

What is in force stays in force, until its time is over or a person lifts it.
"""

from datetime import datetime

from sqlalchemy import Table, select
from sqlmodel import Session

from soc.audit import Act, record
from soc.errors import Illegal
from soc.store.locks import alone
from soc.store.prepared import Prepared
from soc.store.tables import ResponseStop

ROW = 1
_SWITCH: Table = ResponseStop.__table__  # type: ignore[attr-defined]
_ASKED = Prepared(select(_SWITCH.c.stopped).where(_SWITCH.c.id == ROW))
"""It is asked before everything that holds somebody back."""


def stopped(session: Session) -> ResponseStop | None:
    """Return who stopped response, when and why; None while it runs."""
    is_stopped = _ASKED.run(session.connection(), {}).scalar()
    return session.get(ResponseStop, ROW) if is_stopped else None


def require_running(session: Session) -> None:
    """Do nothing while response runs; raise Illegal that says since when it is stopped."""
    if row := stopped(session):
        raise Illegal(
            f"response is stopped since {row.at:%Y-%m-%d %H:%M} UTC by {row.by}: {row.reason}"
        )


def stop(session: Session, actor: str, reason: str, now: datetime) -> None:
    """Stop response; raises Illegal if it is stopped already, or without a reason."""
    if not reason.strip():
        raise Illegal("a reason is needed: say why nothing may be done now")
    _turn(session, actor, reason, now, is_stopped=True)


def start(session: Session, actor: str, reason: str, now: datetime) -> None:
    """Let response run again; raises Illegal if it does."""
    _turn(session, actor, reason, now, is_stopped=False)


def _turn(session: Session, actor: str, reason: str, now: datetime, *, is_stopped: bool) -> None:
    alone(session, "response stop")
    row = session.get(ResponseStop, ROW, with_for_update=True)
    if (row is not None and row.stopped) is is_stopped:
        raise Illegal("response is stopped already" if is_stopped else "response is not stopped")
    row = row or ResponseStop(id=ROW, stopped=is_stopped, reason="", by="", at=now)
    row.stopped, row.reason, row.by, row.at = is_stopped, reason.strip(), actor, now
    session.add(row)
    action = "response.stop" if is_stopped else "response.start"
    record(session, Act(at=now, actor=actor, action=action, object="response", reason=reason))
