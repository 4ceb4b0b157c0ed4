"""Forms that keep a filter under a name, and forget it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlmodel import Session
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.errors import Illegal, Refused
from soc.web import saved
from soc.web.console.problems import Problem, sentence
from soc.web.console.shell import HOME, Console, Line, go, local

Target = Annotated[str, Form(max_length=saved.LONGEST_TARGET)]


def add(routes: APIRouter, console: Console) -> None:
    """Add the forms."""
    front, reads = console.front, console.reader()

    @routes.post("/views")
    def save(
        request: Request, who: Principal = reads, name: Line = "", target: Target = HOME
    ) -> Response:
        """Keep the filter of a page, and come back to it."""
        try:
            with front.writing() as writing:
                saved.save(writing, who, name, target, front.suite.clock)
        except (Refused, Illegal) as wrong:
            status = 409 if isinstance(wrong, Illegal) else 422
            ways = [("Back to the list", local(target))]
            lines = (sentence(wrong.reason),)
            problem = Problem(status, "The view was not saved", lines, [("You wrote", name)], ways)
            return console.page(request, "error.html", who=who, status=status, problem=problem)
        return go(local(target))

    @routes.post("/views/delete")
    def delete(who: Principal = reads, name: Line = "") -> Response:
        """Forget it, and show the page it was of."""
        with front.writing() as writing:
            target = saved.drop(writing, who, name, front.suite.clock)
        return go(local(target).partition("?")[0])


def listed(looking: Session, who: Principal, page: str) -> list[tuple[str, str]]:
    """Return name and address of the views that *who* saved of *page*."""
    return [(row.name, row.target) for row in saved.of(looking, who, page)]
