"""How runs end, and what is left of them."""

from datetime import datetime

from sqlmodel import Session, col, select

from soc.audit import Act, record
from soc.content.kinds import duration_text
from soc.incidents.record import record as record_findings
from soc.model.finding import Finding, Score
from soc.model.value import Entity, EntityKind, Severity
from soc.respond import ledger
from soc.settings import Incidents
from soc.store.tables import Effect, Run

NEEDS_PEOPLE = frozenset({"failed", "needs_human"})


def finish(session: Session, run: Run, state: str, reason: str, now: datetime) -> None:
    """End *run*, or hand it to a person; what it only proposed is no longer proposed."""
    run.state, run.finished, run.lease_owner, run.lease_until = state, now, None, None
    run.reason = reason or run.reason
    withdraw(session, run, reason or "the run ended")
    if state in NEEDS_PEOPLE:
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


def withdraw(session: Session, run: Run, why: str) -> None:
    """Take back what *run* proposed and nobody put in force."""
    query = select(Effect).where(col(Effect.run) == run.id, col(Effect.state) == "proposed")
    for effect in session.exec(query):
        effect.state, effect.reason = "failed", why


def undo_step(session: Session, run: Run, step: str, now: datetime) -> None:
    """Queue the undo of everything that *step* put in force, last first."""
    query = select(Effect).where(col(Effect.run) == run.id, col(Effect.state) == "active")
    found = [e for e in session.exec(query) if e.path.partition("[")[0] == step]
    for effect in sorted(found, key=lambda e: e.active or now, reverse=True):
        ledger.ask_lift(session, effect.id, "soc", f"step {step} of RUN-{run.id} failed", now)


def _finding(run: Run, state: str, reason: str, now: datetime) -> Finding:
    """Return what people must know: an answer to an incident did not happen."""
    entity = (
        Entity(kind=EntityKind.INCIDENT, value=f"INC-{run.incident}")
        if run.incident
        else Entity(kind=EntityKind.SOURCE, value=f"playbook {run.playbook}")
    )
    return Finding(
        rule="soc-run-failed" if state == "failed" else "soc-run-needs-a-person",
        rule_digest="",
        title=f"RUN-{run.id} of {run.playbook} did not end well",
        severity=Severity.HIGH,
        entity=entity,
        entities=(entity,),
        bucket=run.created,
        first=now,
        last=now,
        score=Score(value=1.0, reasons=(reason[:500],)),
    )
