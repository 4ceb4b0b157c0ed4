"""How runs end, and what is left of them."""

from collections.abc import Set as AbstractSet
from datetime import datetime

from sqlalchemy import Table, bindparam
from sqlmodel import Session, col, select

from soc.audit import Act, record
from soc.content.kinds import duration_text
from soc.incidents.record import record as record_findings
from soc.model.finding import Finding, about_suite
from soc.model.value import Entity, EntityKind, Severity
from soc.respond import ledger
from soc.store.prepared import Prepared
from soc.store.tables import Effect, Run
from soc.triage import Incidents

NEEDS_PEOPLE = frozenset({"failed", "needs_human"})


_EFFECTS: Table = Effect.__table__  # type: ignore[attr-defined]
_PROPOSED = Prepared(
    select(_EFFECTS.c.id).where(
        _EFFECTS.c.run == bindparam("of_run"), _EFFECTS.c.state == "proposed"
    )
)


def finish(session: Session, run: Run, state: str, reason: str, now: datetime) -> None:
    """End *run*, or hand it to a person; what it only proposed is no longer proposed."""
    run.state, run.finished, run.lease_owner, run.lease_until = state, now, None, None
    run.reason = reason or run.reason
    if state != "needs_human":
        withdraw(session, run, reason or "the run ended")
        wake_parent(session, run, now)
    if state in NEEDS_PEOPLE and run.mode == "live":
        record_findings(session, [_finding(run, state, reason, now)], {}, now, Incidents())
    act = Act(
        at=now,
        actor=f"playbook:{run.playbook}",
        action=f"run.{state}",
        object=f"run:{run.id}",
        outcome="done" if state == "done" else "failed",
        reason=reason,
        detail={"took": duration_text(now - run.created)},
    )
    record(session, act)


def withdraw(session: Session, run: Run, why: str, step: str | None = None) -> None:
    """Take back what *run*, or one step of it, proposed and nobody put in force."""
    session.flush()
    if _PROPOSED.run(session.connection(), {"of_run": run.id}).first() is None:
        return
    query = select(Effect).where(col(Effect.run) == run.id, col(Effect.state) == "proposed")
    for effect in session.exec(query):
        if step is None or effect.path.partition("[")[0] == step:
            effect.state, effect.reason = "failed", why


def undo_steps(
    session: Session, run: Run, steps: AbstractSet[str], why: str, now: datetime
) -> None:
    """Queue the undo of everything that *steps* put in force, last first."""
    found = [e for e in _in_force(session, run, now) if e.path.partition("[")[0] in steps]
    ledger.ask_rollback(session, found, "soc", f"{why} in RUN-{run.id}", now)


def undo_all(session: Session, run: Run, actor: str, why: str, now: datetime) -> None:
    """Queue the undo of everything that *run* put in force, last first."""
    ledger.ask_rollback(session, _in_force(session, run, now), actor, why, now)


def _in_force(session: Session, run: Run, now: datetime) -> list[Effect]:
    query = select(Effect).where(col(Effect.run) == run.id, col(Effect.state) == "active")
    return sorted(session.exec(query), key=lambda e: (e.active or now, e.version), reverse=True)


def wake_parent(session: Session, run: Run, now: datetime) -> None:
    """Let the run that waits for *run* look at it; its row is locked, or the call could be lost."""
    if run.parent is None:
        return
    parent = session.exec(select(Run).where(col(Run.id) == run.parent).with_for_update()).one()
    if parent.state == "waiting":
        parent.wake_at = now
        session.add(parent)


def _finding(run: Run, state: str, reason: str, now: datetime) -> Finding:
    """Return what people must know: an answer to an incident did not happen."""
    entity = (
        Entity(kind=EntityKind.INCIDENT, value=f"INC-{run.incident}")
        if run.incident
        else Entity(kind=EntityKind.SOURCE, value=f"playbook {run.playbook}")
    )
    rule = "soc-run-failed" if state == "failed" else "soc-run-needs-a-person"
    title = f"RUN-{run.id} of {run.playbook} did not end well"
    return about_suite(rule, title, entity, Severity.HIGH, run.created, now, reason)
