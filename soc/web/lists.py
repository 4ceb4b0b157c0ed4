"""The API of imported lists: what they hold, how they came, and the labels they give."""

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool

from soc.access.permissions import Permission, Principal
from soc.app.listing import import_list
from soc.intelligence import lists
from soc.intelligence.lists import About
from soc.store.tables import Indicator, IndicatorList
from soc.web import views
from soc.web.asked import Cursor, Limit, Plain, Reason, needs
from soc.web.bulk import body_of
from soc.web.front import Front
from soc.web.paging import paged

FILE = {
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "object"}},
    },
    "required": True,
}
Word = Annotated[str, Query(max_length=200)]


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of lists to *routes*."""
    reads, writes = needs(front, Permission.READ), needs(front, Permission.AUTHOR)
    clock = front.suite.clock

    @routes.get("/lists", tags=["lists"], dependencies=[reads])
    def every(limit: Limit = 100, cursor: Cursor = None) -> Plain:
        """Return the imported lists, the last name first."""
        with front.reading() as looking:
            found, order = select(IndicatorList), [col(IndicatorList.name)]
            page = paged(looking, found, order, views.indicator_list, limit, cursor)
            return {**page, "items": views.counted(looking, page["items"], clock.now())}

    @routes.get("/lists/{name}", tags=["lists"], dependencies=[reads])
    def one(name: str, limit: Limit = 100, cursor: Cursor = None) -> Plain:
        """Return a list with its entries."""
        with front.reading() as looking:
            (found,) = views.counted(
                looking, [views.indicator_list(lists.get(looking, name))], clock.now()
            )
            held = select(Indicator).where(col(Indicator.list) == name)
            order = [col(Indicator.kind), col(Indicator.value)]
            return {**found, **paged(looking, held, order, views.indicator, limit, cursor)}

    @routes.put("/lists/{name}", tags=["lists"], openapi_extra={"requestBody": FILE})
    async def put(
        request: Request,
        name: str,
        owner: Word,
        source: Word,
        form: Annotated[Literal["auto", "csv", "stix"], Query(alias="format")] = "auto",
        who: Principal = writes,
    ) -> Plain:
        """Let a list hold what the body says, CSV or STIX 2.1; 400 names each wrong line.

        The same body twice changes nothing. What is new is looked for among stored events.
        """
        body = await body_of(request, front.suite.settings.web)
        about = About(name, owner, source)
        given = (front.suite, about, Path("body"), body, form, who.name)
        return await run_in_threadpool(import_list, *given)

    @routes.post("/lists/{name}/remove", tags=["lists"])
    def remove(name: str, given: Reason, who: Principal = writes) -> Plain:
        """Forget a list."""
        with front.writing() as writing:
            lists.remove(writing, name, given.reason, who.name, clock.now())
        return {"removed": name}
