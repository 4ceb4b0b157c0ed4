"""Search stored events over HTTP, as ``soc search`` does."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from soc.access.permissions import Permission
from soc.logs.filter import parse
from soc.logs.port import Search
from soc.model.value import rfc3339
from soc.web.asked import needs
from soc.web.front import Front
from soc.web.late import LateRoute
from soc.web.refusals import DOCUMENTED

MOST = 10_000
"""Rows that one answer may have."""


def router(front: Front) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(
        route_class=LateRoute, prefix="/api/v1/events", tags=["events"], responses=DOCUMENTED
    )
    reads = needs(front, Permission.READ)

    @routes.get("/search", dependencies=[reads])
    def search(
        q: Annotated[str, Query(description="such as wallet.address:0xab* AND NOT gift")] = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> dict[str, Any]:
        """Return events, newest first by when they happened."""
        wanted = Search(parse(q), since, until, limit)
        return {"items": [_shown(row) for row in front.log.reader.search(wanted)]}

    return routes


def _shown(row: Any) -> dict[str, Any]:  # noqa: ANN401 - columns of any type
    moments = {name: rfc3339(row[name]) for name in ("ts", "ingested")}
    return {**row, **moments}
