"""Runs, with their journals."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from sqlmodel import col, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.app.mending import cancel_all
from soc.errors import NotFound
from soc.respond import mending
from soc.store.tables import Approval, Effect, Run
from soc.web import views
from soc.web.console.problems import Problem
from soc.web.console.shell import Console, Line, PageNumber, Text, go, number_of, paged

Plain = dict[str, Any]

VIEWS = {
    "": (),
    "waiting": ("queued", "running", "waiting"),
    "trouble": ("failed", "needs_human"),
    "done": ("done", "cancelled"),
}


def add(routes: APIRouter, console: Console) -> None:
    """Add the list, the page of one run, and its forms."""
    _list(routes, console)
    _page(routes, console)
    _forms(routes, console)


def _list(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/runs")
    def runs(
        request: Request,
        who: Principal = reads,
        state: Literal["", "waiting", "trouble", "done"] = "",
        page: PageNumber = 1,
    ) -> Response:
        """Show runs, newest first."""
        wanted = [col(Run.state).in_(VIEWS[state])] if state else []
        found = select(Run).where(*wanted).order_by(col(Run.id).desc())
        with front.reading() as looking:
            listed = paged(looking, found, views.run, page)
        return console.page(
            request,
            "runs.html",
            who=who,
            **listed,
            kept={"state": state} if state else {},
            twin="/api/v1/runs",
        )


def _page(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

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
            may_mend=Permission.RESPOND in who.permissions and who.person is not None,
            over=found["state"] in mending.OVER,
            mendable=found["state"] in mending.MENDABLE,
        )


def _forms(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()
    suite = front.suite

    @routes.post("/runs/{name}/cancel")
    def cancel(
        request: Request, name: str, who: Principal = reads, reason: Text = "", undo: Line = ""
    ) -> Response:
        """End a run, and the runs that it started."""
        number, refused = _asked(console, request, name, who, reason)
        if refused:
            return refused
        cancel_all(suite, number, who, reason.strip(), undo=bool(undo))
        return go(f"/runs/{number}")

    @routes.post("/runs/{name}/mend")
    def mend(
        request: Request,
        name: str,
        verb: Annotated[Literal["retry", "skip", "happened", "did_not_happen"], Form()],
        step: Line,
        who: Principal = reads,
        reason: Text = "",
    ) -> Response:
        """Settle a step that failed, or of which nobody knows whether it happened."""
        number, refused = _asked(console, request, name, who, reason)
        if refused:
            return refused
        with front.writing() as writing:
            mending.settle(writing, number, step, who, reason.strip(), suite.clock.now(), verb=verb)
        return go(f"/runs/{number}")


def _asked(
    console: Console, request: Request, name: str, who: Principal, reason: str
) -> tuple[int, Response | None]:
    """Return the run that a form is about, and the page that refuses one without a reason."""
    number = number_of("run", name)
    who.require(Permission.RESPOND)
    who.require_person()
    if reason.strip():
        return number, None
    ways = [("Back, to write a reason", f"/runs/{number}")]
    problem = Problem(422, f"RUN-{number} was not changed", ("Reason: write why.",), [], ways)
    return number, console.page(request, "error.html", who=who, status=422, problem=problem)


def _nested(steps: list[Plain]) -> list[Plain]:
    """Return the steps, each with its items: the entries of a ``for_each``."""
    items = [step for step in steps if "[" in step["path"]]
    return [
        {**step, "items": [one for one in items if one["path"].partition("[")[0] == step["path"]]}
        for step in steps
        if "[" not in step["path"]
    ]
