"""Imported lists: what they hold, and the form that imports one."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlmodel import col, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.app.listing import import_list
from soc.errors import ContentError, Refused
from soc.intelligence import lists
from soc.intelligence.lists import About
from soc.store.tables import Indicator, IndicatorList
from soc.web import views
from soc.web.console.problems import sentence
from soc.web.console.shell import Console, Line, PageNumber, Text, go, paged

Pasted = Annotated[str, Form(max_length=60_000)]


def add(routes: APIRouter, console: Console) -> None:
    """Add the pages and their forms."""
    front, reads = console.front, console.reader()

    @routes.get("/lists")
    def every(request: Request, who: Principal = reads, page: PageNumber = 1) -> Response:
        """Show all lists, and the form."""
        return _page(console, request, who, page)

    @routes.get("/lists/{name}")
    def one(request: Request, name: str, who: Principal = reads, page: PageNumber = 1) -> Response:
        """Show one list with its entries."""
        held = select(Indicator).where(col(Indicator.list) == name)
        order = (col(Indicator.kind), col(Indicator.value))
        with front.reading() as looking:
            row = views.indicator_list(lists.get(looking, name))
            (found,) = views.counted(looking, [row], front.suite.clock.now())
            listed = paged(looking, held.order_by(*order), views.indicator, page)
        twin = f"/api/v1/lists/{name}"
        return console.page(request, "list.html", who=who, found=found, **listed, twin=twin)

    @routes.post("/lists")
    def put(
        request: Request,
        who: Principal = reads,
        name: Line = "",
        owner: Line = "",
        source: Line = "",
        text: Pasted = "",
    ) -> Response:
        """Import what was pasted."""
        who.require(Permission.AUTHOR)
        typed = {"name": name, "owner": owner, "source": source, "text": text}
        about = About(name.strip(), owner.strip() or who.name, source.strip())
        given = (Path("pasted"), text.encode(), "auto", who.name)
        try:
            made = import_list(front.suite, about, *given)
        except ContentError as wrong:
            lines = tuple(sentence(str(problem)) for problem in wrong.problems)
            return _page(console, request, who, 1, typed, lines)
        except Refused as wrong:
            return _page(console, request, who, 1, typed, (sentence(wrong.reason),))
        return _page(console, request, who, 1, made=made)

    @routes.post("/lists/{name}/remove")
    def remove(request: Request, name: str, who: Principal = reads, reason: Text = "") -> Response:
        """Forget a list."""
        who.require(Permission.AUTHOR)
        try:
            with front.writing() as writing:
                lists.remove(writing, name, reason, who.name, front.suite.clock.now())
        except Refused as wrong:
            return _page(console, request, who, 1, problems=(sentence(wrong.reason),))
        return go("/lists")


def _page(
    console: Console,
    request: Request,
    who: Principal,
    page: int,
    typed: dict[str, str] | None = None,
    problems: tuple[str, ...] = (),
    made: dict[str, object] | None = None,
) -> Response:
    front = console.front
    with front.reading() as looking:
        found = select(IndicatorList).order_by(col(IndicatorList.name))
        listed = paged(looking, found, views.indicator_list, page)
        listed["items"] = views.counted(looking, listed["items"], front.suite.clock.now())
    return console.page(
        request,
        "lists.html",
        who=who,
        status=422 if problems else 200,
        **listed,
        typed=typed or {},
        problems=problems,
        made=made,
        twin="/api/v1/lists",
    )
