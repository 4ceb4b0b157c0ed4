"""Approvals: what waits for people, and their answers."""

from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from sqlmodel import Session, col, func, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.errors import AccessDenied, Illegal
from soc.respond import approvals
from soc.store.tables import Approval, Run
from soc.web import views
from soc.web.console import words
from soc.web.console.problems import Problem, sentence
from soc.web.console.shell import Console, Line, Text, go, local, number_of

Plain = dict[str, Any]
OPEN = 50
"""Questions that the inbox shows at once, those that end first."""
DECIDED = 50
"""Answered questions that the inbox still lists."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the inbox, the page of one question, and its form."""
    _pages(routes, console)
    _form(routes, console)


def _pages(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/approvals")
    def inbox(request: Request, who: Principal = reads) -> Response:
        """Show what waits for people, then what was decided last."""
        pending = col(Approval.state) == approvals.PENDING
        with front.reading() as looking:
            now = front.suite.clock.now()
            total = looking.exec(select(func.count(col(Approval.id))).where(pending)).one()
            first = select(Approval).where(pending).order_by(col(Approval.expires))
            waiting = looking.exec(first.limit(OPEN))
            asked = [question(looking, row, who, now) for row in waiting]
            newest = select(Approval).where(~pending).order_by(col(Approval.id).desc())
            over = looking.exec(newest.limit(DECIDED))
            decided = [question(looking, row, who, now) for row in over]
        return console.page(
            request,
            "approvals.html",
            who=who,
            asked=asked,
            decided=decided,
            more=total - len(asked),
            twin="/api/v1/approvals",
        )

    @routes.get("/approvals/{name}")
    def one(request: Request, name: str, who: Principal = reads) -> Response:
        """Show one question."""
        number = number_of("approval", name)
        with front.reading() as looking:
            row = approvals.get(looking, number)
            asked = question(looking, row, who, front.suite.clock.now())
        twin = f"/api/v1/approvals/{number}"
        return console.page(request, "approval.html", who=who, a=asked, twin=twin)


def _form(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.post("/approvals/{name}/decide")
    def decide(
        request: Request,
        name: str,
        decision: Annotated[Literal["approve", "reject"], Form()],
        who: Principal = reads,
        digest: Line = "",
        reason: Text = "",
        back: Line = "",
    ) -> Response:
        """Count an answer; refuse it if the plan is not the one that was read."""
        number = number_of("approval", name)
        who.require(Permission.APPROVE)
        who.require_person()
        try:
            with front.writing() as writing:
                approvals.decide(
                    writing,
                    number,
                    who,
                    approve=decision == "approve",
                    digest=digest,
                    reason=reason,
                    now=front.suite.clock.now(),
                )
        except Illegal as refused:
            with front.reading() as looking:
                current = approvals.get(looking, number).digest
            problem = _not_counted(number, refused, digest, current, reason)
            return console.page(request, "error.html", who=who, status=409, problem=problem)
        return go(local(back, "/approvals"))


def question(looking: Session, row: Approval, who: Principal, now: datetime) -> Plain:
    """Return an approval with its plan put together, and why *who* has no vote, if so."""
    found = views.approval(looking, row)
    is_open = row.state == approvals.PENDING and row.expires > now
    plan = sorted((words.held(hold), hold["subject"]) for hold in found["plan"])
    return {
        **found,
        "state": "expired" if row.state == approvals.PENDING and not is_open else row.state,
        "open": is_open,
        "given": sum(vote["approve"] for vote in found["votes"]),
        "does": [
            (what, [s for _, s in alike]) for what, alike in groupby(plan, key=lambda hold: hold[0])
        ],
        "refusal": _refusal(looking, row, who) if is_open else "",
    }


def _refusal(looking: Session, row: Approval, who: Principal) -> str:
    """Return why *who* may not vote, or nothing: by the very guard that would refuse the vote."""
    if Permission.APPROVE not in who.permissions:
        return "Approving needs the role approver"
    try:
        approvals.require_vote(looking, row, looking.get(Run, row.run), who)
    except (AccessDenied, Illegal) as refused:
        return refused.reason[:1].upper() + refused.reason[1:]
    return ""


def _not_counted(number: int, why: Illegal, read: str, current: str, reason: str) -> Problem:
    facts = [("You read", read or "no digest"), ("It is now", current)]
    if reason.strip():
        facts.append(("You wrote", reason))
    ways = [("Read the plan again", f"/approvals/{number}")]
    return Problem(409, "Your answer was not counted", (sentence(why.reason),), facts, ways)
