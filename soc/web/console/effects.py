"""Effects: what is, was or may come in force, and how it is lifted."""

from typing import Literal

from fastapi import APIRouter, Request
from sqlalchemy import ColumnElement
from sqlmodel import col, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.respond import ledger, stopping
from soc.store.tables import Effect
from soc.web import views
from soc.web.console.problems import Problem
from soc.web.console.shell import (
    Console,
    Line,
    PageNumber,
    Text,
    go,
    local,
    number_of,
    paged,
)

VIEWS = {
    "": ledger.FOLLOWED,
    "proposed": ("proposed",),
    "lifted": ("lifted",),
    "failed": ("failed",),
    "all": ("proposed", "lifted", "failed", *ledger.FOLLOWED),
}


def add(routes: APIRouter, console: Console) -> None:
    """Add the list, the form that lifts, and the switch that stops all response."""
    front, reads = console.front, console.reader()

    @routes.get("/effects")
    def effects(
        request: Request,
        who: Principal = reads,
        state: Literal["", "proposed", "lifted", "failed", "all"] = "",
        incident: str = "",
        page: PageNumber = 1,
    ) -> Response:
        """Show what is, was or may come in force."""
        wanted: list[ColumnElement[bool]] = [col(Effect.state).in_(VIEWS[state])]
        if incident:
            wanted.append(col(Effect.incident) == number_of("incident", incident))
        found = select(Effect).where(*wanted).order_by(col(Effect.created).desc(), col(Effect.id))
        with front.reading() as looking:
            listed = paged(looking, found, views.effect, page)
        kept = {"state": state, "incident": incident}
        return console.page(
            request,
            "effects.html",
            who=who,
            **listed,
            kept={key: value for key, value in kept.items() if value},
            twin="/api/v1/effects",
        )

    @routes.post("/effects/{name}/lift")
    def lift(
        request: Request, name: str, who: Principal = reads, reason: Text = "", back: Line = ""
    ) -> Response:
        """Queue the undo of an active effect."""
        who.require(Permission.RESPOND)
        who.require_person()
        ways = [("Back, to write a reason", local(back, "/effects"))]
        if not reason.strip():
            problem = Problem(
                422, f"{name} was not lifted", ("Reason: write why it may end now.",), [], ways
            )
            return console.page(request, "error.html", who=who, status=422, problem=problem)
        with front.writing() as writing:
            ledger.ask_lift(writing, name, who.name, reason.strip(), front.suite.clock.now())
        return go(local(back, "/effects"))

    _add_switch(routes, console)


def _add_switch(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.post("/response/{turn}")
    def turn(
        request: Request, turn: Literal["stop", "start"], who: Principal = reads, reason: Text = ""
    ) -> Response:
        """Stop all response, or let it run again."""
        who.require(Permission.RESPOND)
        who.require_person()
        if not reason.strip():
            ways = [("Back, to write a reason", "/effects")]
            problem = Problem(422, "Nothing was done", ("Reason: write why.",), [], ways)
            return console.page(request, "error.html", who=who, status=422, problem=problem)
        act = stopping.stop if turn == "stop" else stopping.start
        with front.writing() as writing:
            act(writing, who.name, reason, front.suite.clock.now())
        return go("/effects")
