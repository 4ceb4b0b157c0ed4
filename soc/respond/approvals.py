"""Questions to people, bound to exactly what will be done."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

import orjson
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from soc.access.permissions import Permission, Principal
from soc.audit import Act, record
from soc.content.digest import digest_of
from soc.errors import AccessDenied, Illegal, NotFound
from soc.incidents import lifecycle
from soc.respond import stopping
from soc.respond.action import Hold
from soc.respond.step import Ask
from soc.store.tables import Approval, ApprovalVote, Incident, PlaybookVersion, Run

PENDING = "pending"


def ask(
    session: Session, run: Run, path: str, question: Ask, plan: Sequence[Hold], now: datetime
) -> Approval:
    """Ask people whether *plan* may be done; the run waits for the answer, or the end."""
    things = [_plain(hold) for hold in plan]
    approval = Approval(
        run=run.id or 0,
        path=path,
        incident=run.incident,
        ask=question.ask,
        approvers_json=orjson.dumps(question.approvers).decode(),
        need=question.need,
        four_eyes=question.four_eyes,
        on_timeout=question.on_timeout,
        escalate_json=orjson.dumps(question.escalate_to).decode(),
        plan_json=orjson.dumps(things).decode(),
        digest=digest_of({"run": run.id, "path": path, "playbook": run.digest, "plan": things}),
        state=PENDING,
        asked=now,
        expires=now + question.expires,
    )
    session.add(approval)
    _record(session, approval, "soc", "approval.ask", now, question.ask)
    return approval


def decide(
    session: Session,
    number: int,
    who: Principal,
    *,
    approve: bool,
    digest: str,
    reason: str,
    now: datetime,
) -> Approval:
    """Count a person's answer and wake the run if it settles the question.

    The run's row is locked first, so that an answer given while the run lies down is not lost.
    Raises Illegal for an ended question or another digest, and for agreeing to hold somebody back
    while response is stopped; AccessDenied for who has no vote.
    """
    approval = get(session, number)
    run = session.get(Run, approval.run, with_for_update=True)
    session.refresh(approval)
    if approval.state != PENDING or approval.expires <= now:
        raise Illegal(f"approval {number} is no longer open: it is {approval.state}")
    if digest != approval.digest:
        raise Illegal("the digest is not that of what will be done: read the plan again")
    if not approve and not reason.strip():
        raise Illegal("a reason is needed to reject")
    require_vote(session, approval, run, who)
    if approve and orjson.loads(approval.plan_json):
        stopping.require_running(session)
    voted = ApprovalVote(
        approval=number, person=who.person or "", approve=approve, reason=reason.strip(), at=now
    )
    session.add(voted)
    session.flush()
    votes = votes_on(session, number)
    if not approve or sum(vote.approve for vote in votes) >= approval.need:
        approval.state = "approved" if approve else "rejected"
        approval.decided = now
        if run and run.state == "waiting":
            run.wake_at = now
            session.add(run)
    session.add(approval)
    if approval.incident:
        lifecycle.acknowledge(session, approval.incident, who.name, now)
    verb = "approval.approve" if approve else "approval.reject"
    _record(session, approval, who.name, verb, now, reason)
    return approval


def get(session: Session, number: int) -> Approval:
    """Return an approval; raises NotFound."""
    approval = session.get(Approval, number)
    if approval is None:
        raise NotFound("approval", str(number))
    return approval


def of_step(session: Session, run: int, path: str) -> Approval | None:
    """Return what was asked at *path* of a run, if anything was."""
    query = select(Approval).where(col(Approval.run) == run, col(Approval.path) == path)
    return session.exec(query).first()


def votes_on(session: Session, number: int) -> Sequence[ApprovalVote]:
    """Return the answers so far."""
    query = select(ApprovalVote).where(col(ApprovalVote.approval) == number)
    return session.exec(query.order_by(col(ApprovalVote.at))).all()


def agreed(session: Session, run: int) -> list[Hold]:
    """Return everything that people agreed to in a run."""
    query = select(Approval.plan_json).where(
        col(Approval.run) == run, col(Approval.state) == "approved"
    )
    return [Hold(**plain) for text in session.exec(query) for plain in orjson.loads(text)]


def agreed_by(session: Session, run: int, hold: Hold) -> list[str]:
    """Return who agreed to *hold* in a run, however long it was to last."""
    query = select(Approval).where(col(Approval.run) == run, col(Approval.state) == "approved")
    names: set[str] = set()
    for approval in session.exec(query):
        plan = [Hold(**plain) for plain in orjson.loads(approval.plan_json)]
        if any(replace(one, seconds=hold.seconds) == hold for one in plan):
            votes = votes_on(session, approval.id or 0)
            names |= {vote.person for vote in votes if vote.approve}
    return sorted(names)


def pending(session: Session) -> Sequence[Approval]:
    """Return the questions that are open, oldest first."""
    query = select(Approval).where(col(Approval.state) == PENDING).order_by(col(Approval.id))
    return session.exec(query).all()


def of_closed(session: Session) -> Sequence[tuple[int | None, int]]:
    """Return the open questions about incidents that people have closed, each with its run."""
    part, whole = aliased(Incident), aliased(Incident)
    query = (
        select(Approval.id, Approval.run)
        .join(part, col(part.id) == col(Approval.incident))
        .join(whole, col(whole.id) == func.coalesce(col(part.merged_into), col(part.id)))
        .where(col(Approval.state) == PENDING, col(whole.state) == "closed")
        .order_by(col(Approval.id))
    )
    return session.exec(query).all()


def withdraw_closed(session: Session, now: datetime) -> None:
    """End the questions about incidents that people have closed; their runs go on without."""
    for number, run_number in of_closed(session):
        run = session.get_one(Run, run_number, with_for_update=True)
        approval = session.get_one(Approval, number, with_for_update=True)
        if approval.state != PENDING:
            continue  # answered meanwhile
        run.wake_at = now if run.state == "waiting" else run.wake_at
        withdraw(session, approval, now, "the incident is closed")


def expire(session: Session, approval: Approval, now: datetime) -> bool:
    """End a question that nobody settled in time, or ask others; return whether it is over."""
    if approval.state == PENDING and approval.expires <= now:
        others = orjson.loads(approval.escalate_json)
        if others and approval.escalated is None:
            approval.expires = now + (approval.expires - approval.asked)
            approval.approvers_json, approval.escalated = approval.escalate_json, now
            _record(session, approval, "soc", "approval.escalate", now, "nobody answered in time")
        else:
            approval.state, approval.decided = "expired", now
            _record(session, approval, "soc", "approval.expire", now, "nobody answered in time")
        session.add(approval)
    return approval.state != PENDING


def withdraw(session: Session, approval: Approval, now: datetime, why: str) -> None:
    """End a question that needs no answer any more."""
    approval.state, approval.decided = "withdrawn", now
    session.add(approval)
    _record(session, approval, "soc", "approval.withdraw", now, why)


def shortened(question: Ask, longest: timedelta | None) -> Ask:
    """Return *question* with the site's own end, where it has one."""
    return question.model_copy(update={"expires": longest}) if longest else question


def require_vote(session: Session, approval: Approval, run: Run | None, who: Principal) -> None:
    """Do nothing if *who* may answer; raise AccessDenied or Illegal saying why not."""
    who.require(Permission.APPROVE)
    names = {f"role:{role}" for role in who.roles} | {f"user:{who.person}"}
    if not names.intersection(orjson.loads(approval.approvers_json)):
        raise AccessDenied(f"this asks {', '.join(orjson.loads(approval.approvers_json))}")
    if who.person is None:
        raise AccessDenied("only a person approves: use a person's token")
    if run and approval.four_eyes:
        _require_four_eyes(session, run, who)
    if session.get(ApprovalVote, (approval.id, who.person)):
        raise Illegal("you have voted already")


def _require_four_eyes(session: Session, run: Run, who: Principal) -> None:
    """Raise AccessDenied for whoever has a part in what is asked; an admin is no exception."""
    if run.requested_by == who.name:
        raise AccessDenied("you asked for this run: somebody else decides")
    version = session.get(PlaybookVersion, run.digest) if run.digest else None
    if version and f"user:{who.person}" in (version.author, version.signer):
        raise AccessDenied("you wrote or released this playbook: somebody else decides")
    named = lifecycle.entities_of(session, run.incident) if run.incident else ()
    if f"account:{who.person}" in named:
        raise AccessDenied("you are named in the incident: somebody else decides")


def _plain(hold: Hold) -> dict[str, object]:
    return asdict(hold)


def _record(
    session: Session, approval: Approval, actor: str, action: str, now: datetime, why: str
) -> None:
    session.flush()
    detail: dict[str, str | int | bool | None] = {
        "digest": approval.digest,
        "run": approval.run,
        "state": approval.state,
    }
    record(
        session,
        Act(
            at=now,
            actor=actor,
            action=action,
            object=f"approval:{approval.id}",
            reason=why,
            detail=detail,
        ),
    )
