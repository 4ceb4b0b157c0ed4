"""Runs, approvals and effects."""

from itertools import groupby
from typing import Any, Literal

from fastapi import APIRouter, Query, Request
from sqlmodel import Session, col, func, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.errors import AccessDenied, Illegal, NotFound
from soc.respond import approvals, ledger
from soc.store.tables import Approval, Effect, Run
from soc.web import views
from soc.web.console import problems, words
from soc.web.console.shell import PER_PAGE, Console, Line, Text, go, local, number_of

Plain = dict[str, Any]
Page = Query(1, ge=1, le=10_000)
DECIDED = 50
"""Answered questions that the inbox still lists."""
RUN_VIEWS = {
    "": (),
    "waiting": ("queued", "running", "waiting"),
    "trouble": ("failed", "needs_human"),
    "done": ("done", "cancelled"),
}
EFFECT_VIEWS = {
    "": ledger.FOLLOWED,
    "proposed": ("proposed",),
    "lifted": ("lifted",),
    "failed": ("failed",),
    "all": ("proposed", "lifted", "failed", *ledger.FOLLOWED),
}


def add(routes: APIRouter, console: Console) -> None:
    """Add the pages and their forms."""
    _runs(routes, console)
    _approvals(routes, console)
    _effects(routes, console)


def question(looking: Session, row: Approval, who: Principal, now: Any) -> Plain:  # noqa: ANN401 - a moment
    """Return an approval with its plan put together, and why *who* has no vote, if so."""
    found = views.approval(looking, row)
    is_open = row.state == approvals.PENDING and row.expires > now
    plan = sorted((words.held(hold), hold["subject"]) for hold in found["plan"])
    return {
        **found,
        "state": "expired" if row.state == approvals.PENDING and not is_open else row.state,
        "open": is_open,
        "given": sum(vote["approve"] for vote in found["votes"]),
        "does": [(what, [s for _, s in alike]) for what, alike in groupby(plan, key=lambda hold: hold[0])],
        "refusal": _refusal(looking, row, who) if is_open else "",
    }


def _refusal(looking: Session, row: Approval, who: Principal) -> str:
    """Return why *who* may not vote, or nothing: by the very guard that would refuse the vote."""
    if Permission.APPROVE not in who.permissions:
        return "Approving needs the role approver"
    try:
        approvals._may_vote(looking, row, looking.get(Run, row.run), who)  # noqa: SLF001 - page and guard must not differ
    except (AccessDenied, Illegal) as refused:
        return refused.reason[:1].upper() + refused.reason[1:]
    return ""


def _runs(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/runs")
    def runs(
        request: Request,
        who: Principal = reads,
        state: Literal["", "waiting", "trouble", "done"] = "",
        page: int = Page,
    ) -> Response:
        """Show runs, newest first."""
        wanted = [col(Run.state).in_(RUN_VIEWS[state])] if state else []
        found = select(Run).where(*wanted).order_by(col(Run.id).desc())
        with front.reading() as looking:
            total = looking.exec(select(func.count(col(Run.id))).where(*wanted)).one()
            rows = looking.exec(found.offset((page - 1) * PER_PAGE).limit(PER_PAGE))
            items = [views.run(row) for row in rows]
        return console.page(
            request,
            "runs.html",
            who=who,
            items=items,
            total=total,
            page=page,
            pages=-(-total // PER_PAGE),
            kept={"state": state} if state else {},
            twin="/api/v1/runs",
        )

    @routes.get("/runs/{name}")
    def run(request: Request, name: str, who: Principal = reads) -> Response:
        """Show one run with its journal."""
        number = number_of("run", name)
        with front.reading() as looking:
            row = looking.get(Run, number)
            if row is None:
                raise NotFound("run", name)
            found = views.run_whole(looking, row)
            effects = select(Effect).where(col(Effect.run) == number).order_by(col(Effect.id))
            held = [views.effect(effect) for effect in looking.exec(effects)]
            asked = select(Approval).where(col(Approval.run) == number).order_by(col(Approval.id))
            questions = [views.approval(looking, one) for one in looking.exec(asked)]
        return console.page(
            request,
            "run.html",
            who=who,
            run=found,
            steps=_nested(found["steps"]),
            effects=held,
            asked=questions,
            twin=f"/api/v1/runs/{number}",
        )


def _nested(steps: list[Plain]) -> list[Plain]:
    """Return the steps, each with its items: the entries of a ``for_each``."""
    items = [step for step in steps if "[" in step["path"]]
    return [
        {**step, "items": [one for one in items if one["path"].partition("[")[0] == step["path"]]}
        for step in steps
        if "[" not in step["path"]
    ]


def _approvals(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/approvals")
    def inbox(request: Request, who: Principal = reads) -> Response:
        """Show what waits for people, then what was decided last."""
        pending = col(Approval.state) == approvals.PENDING
        with front.reading() as looking:
            now = front.suite.clock.now()
            waiting = looking.exec(select(Approval).where(pending).order_by(col(Approval.expires)))
            asked = [question(looking, row, who, now) for row in waiting]
            newest = select(Approval).where(~pending).order_by(col(Approval.id).desc())
            over = looking.exec(newest.limit(DECIDED))
            decided = [question(looking, row, who, now) for row in over]
        return console.page(
            request, "approvals.html", who=who, asked=asked, decided=decided, twin="/api/v1/approvals"
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

    @routes.post("/approvals/{name}/decide")
    def decide(  # noqa: PLR0917 - a form's own fields
        request: Request,
        name: str,
        who: Principal = reads,
        decision: Line = "",
        digest: Line = "",
        reason: Text = "",
        back: Line = "",
    ) -> Response:
        """Count an answer; refuse it if the plan is not the one that was read."""
        number = number_of("approval", name)
        who.require(Permission.APPROVE)
        try:
            if decision not in {"approve", "reject"}:
                raise Illegal("choose approve or reject")
            with front.writing() as writing:
                now = front.suite.clock.now()
                yes = decision == "approve"
                approvals.decide(
                    writing, number, who, approve=yes, digest=digest, reason=reason, now=now
                )
        except Illegal as refused:
            with front.reading() as looking:
                current = approvals.get(looking, number)
            facts = [("You read", digest or "no digest"), ("It is now", current.digest)]
            return console.page(
                request,
                "error.html",
                who=who,
                status=409,
                problem=problems.Problem(
                    409,
                    "Your answer was not counted",
                    (problems.sentence(refused.reason),),
                    [*facts, *([("You wrote", reason)] if reason.strip() else [])],
                    [("Read the plan again", f"/approvals/{number}")],
                ),
            )
        return go(local(back, "/approvals"))


def _effects(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/effects")
    def effects(
        request: Request,
        who: Principal = reads,
        state: Literal["", "proposed", "lifted", "failed", "all"] = "",
        incident: str = "",
        page: int = Page,
    ) -> Response:
        """Show what is, was or may come in force."""
        wanted = [col(Effect.state).in_(EFFECT_VIEWS[state])]
        if incident:
            wanted.append(col(Effect.incident) == number_of("incident", incident))
        found = select(Effect).where(*wanted).order_by(col(Effect.created).desc(), col(Effect.id))
        with front.reading() as looking:
            total = looking.exec(select(func.count(col(Effect.id))).where(*wanted)).one()
            rows = looking.exec(found.offset((page - 1) * PER_PAGE).limit(PER_PAGE))
            items = [views.effect(row) for row in rows]
        kept = {"state": state, "incident": incident}
        return console.page(
            request,
            "effects.html",
            who=who,
            items=items,
            total=total,
            page=page,
            pages=-(-total // PER_PAGE),
            kept={key: value for key, value in kept.items() if value},
            twin="/api/v1/effects",
        )

    @routes.post("/effects/{name}/lift")
    def lift(
        request: Request, name: str, who: Principal = reads, reason: Text = "", back: Line = ""
    ) -> Response:
        """Queue the undo of an active effect."""
        who.require(Permission.RESPOND)
        ways = [("Back, to write a reason", local(back, "/effects"))]
        if not reason.strip():
            problem = problems.Problem(
                422, f"{name} was not lifted", ("Reason: write why it may end now.",), [], ways
            )
            return console.page(request, "error.html", who=who, status=422, problem=problem)
        with front.writing() as writing:
            ledger.ask_lift(writing, name, who.name, reason.strip(), front.suite.clock.now())
        return go(local(back, "/effects"))
