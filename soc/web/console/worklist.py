"""The bar of the queue: one act on all chosen incidents, or on none of them."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlmodel import Session
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.errors import Illegal
from soc.incidents import lifecycle, moves
from soc.web.console.incident import Change
from soc.web.console.problems import Problem, sentence
from soc.web.console.shell import HOME, PER_PAGE, Console, Line, Text, go, local, number_of

Chosen = Annotated[list[str], Form(max_length=PER_PAGE)]
Back = Annotated[str, Form(max_length=4_000)]
Act = Callable[[Session, list[int], str, datetime], object]
"""What is done with the numbers of all chosen incidents, by an actor at a moment."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the forms."""
    desk, reads = _Desk(console), console.reader()

    @routes.post("/queue/assign")
    def assign(
        request: Request, chosen: Chosen, who: Principal = reads, back: Back = HOME
    ) -> Response:
        """Give them to the one who asks."""
        act = partial(lifecycle.assign, owner=who.person or who.name)
        return desk.do(request, who, chosen, back, _each(act))

    @routes.post("/queue/escalate")
    def escalate(
        request: Request, chosen: Chosen, who: Principal = reads, back: Back = HOME
    ) -> Response:
        """Make each one step worse."""
        return desk.do(request, who, chosen, back, _each(lifecycle.escalate))

    _over(routes, console, desk)


def _over(routes: APIRouter, console: Console, desk: "_Desk") -> None:
    reads = console.reader()

    @routes.post("/queue/merge")
    def merge(
        request: Request,
        chosen: Chosen,
        who: Principal = reads,
        back: Back = HOME,
        into: Line = "",
        reason: Line = "",
    ) -> Response:
        """Put the alerts of all into one: the one that is named, or the first chosen."""
        target = number_of("incident", into.strip() or chosen[0])

        def act(writing: Session, numbers: list[int], actor: str, now: datetime) -> None:
            if sources := [number for number in numbers if number != target]:
                for number in sources:
                    moves.merge(writing, number, target, reason, actor, now)
            else:
                raise Illegal("choose at least two, or write the incident that takes the alerts")

        return desk.do(request, who, chosen, back, act)

    @routes.post("/queue/close")
    def close(
        request: Request,
        chosen: Chosen,
        who: Principal = reads,
        back: Back = HOME,
        verdict: Line = "",
        note: Text = "",
    ) -> Response:
        """Close them all with one verdict and one line."""
        who.require_person()
        act = partial(lifecycle.close, verdict=verdict, note=note)
        return desk.do(request, who, chosen, back, _each(act))


def _each(change: Change) -> Act:
    """Return what makes one *change* of the life cycle to each that was chosen."""

    def act(writing: Session, numbers: list[int], actor: str, now: datetime) -> None:
        for number in numbers:
            change(writing, number, actor=actor, now=now)

    return act


class _Desk:
    """Does one act for all that were chosen, in one transaction."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def do(
        self, request: Request, who: Principal, chosen: list[str], back: str, act: Act
    ) -> Response:
        """Come back to the queue, or say why nothing was changed."""
        who.require(Permission.TRIAGE)
        front = self._console.front
        numbers = list(dict.fromkeys(number_of("incident", one) for one in chosen))
        try:
            with front.writing() as writing:
                act(writing, numbers, who.name, front.suite.clock.now())
        except Illegal as illegal:
            facts = [("You chose", ", ".join(f"INC-{number}" for number in numbers))]
            ways = [("Back to the queue", local(back))]
            lines = (sentence(illegal.reason),)
            problem = Problem(409, "None of them was changed", lines, facts, ways)
            return self._console.page(request, "error.html", who=who, status=409, problem=problem)
        return go(local(back))
