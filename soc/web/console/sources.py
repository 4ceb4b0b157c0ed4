"""Sources: what sends, what of it nobody understood, and asking the parsers again."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.app.taking import REPLAYED
from soc.clock import monotonic
from soc.errors import Busy
from soc.model.value import rfc3339
from soc.web import sources as api
from soc.web.console.shell import PER_PAGE, After, Console

Plain = dict[str, Any]
SHOWN = 4_000
"""Characters of a reject that the page shows: what nobody understood may be of any size."""
REPLAYS = 8.0
"""Seconds after which a replay from the page begins with no further rejects."""
From = Annotated[int, Form(ge=0, le=api.LAST_SEQ)]


def add(routes: APIRouter, console: Console) -> None:
    """Add the pages and the form."""
    front, reads = console.front, console.reader()

    @routes.get("/sources")
    def sources(request: Request, who: Principal = reads) -> Response:
        """Show what sends."""
        try:
            found = api.listed(front, front.patience)
        except Busy:
            return console.page(request, "later.html", who=who, status=503, what="Sources")
        return console.page(request, "sources.html", who=who, **found, twin="/api/v1/sources")

    @routes.get("/rejects")
    def rejects(
        request: Request, who: Principal = reads, after: After = 0, source: api.OfSource = ""
    ) -> Response:
        """Show what no parser took, with the reason, in the order it came."""
        return _page(console, request, who, after, source)

    @routes.post("/rejects/replay")
    def replay(request: Request, who: Principal = reads, after: From = 0) -> Response:
        """Ask the parsers again about rejects, as many as a moment allows."""
        began = monotonic()
        told = {"asked": 0, "accepted": 0, "duplicates": 0, "last_seq": after}
        asked = REPLAYED
        while asked == REPLAYED and monotonic() < began + REPLAYS:
            page = api.replay(front, who, told["last_seq"], REPLAYED)
            asked = page["asked"]
            counts = {key: told[key] + page[key] for key in ("asked", "accepted", "duplicates")}
            told = {**counts, "last_seq": page["last_seq"]}
        return _page(console, request, who, 0, "", {**told, "more": asked == REPLAYED})


def _page(
    console: Console,
    request: Request,
    who: Principal,
    after: int,
    source: str,
    told: Plain | None = None,
) -> Response:
    rows, follows = api.rejected(console.front.log.reader, after, PER_PAGE, source)
    kept = {"source": source} if source else {}
    return console.page(
        request,
        "rejects.html",
        who=who,
        items=[_cut(row) for row in rows],
        follows=follows,
        after=after,
        kept=kept,
        told=told,
        may_replay=bool(who.permissions & {Permission.INGEST, Permission.ADMIN}),
        twin=f"/api/v1/rejects?{urlencode({'after': after, **kept})}",
    )


def _cut(row: Plain) -> Plain:
    return {
        **row,
        "ingested": rfc3339(row["ingested"]),
        "raw": row["raw"][:SHOWN],
        "size": len(row["raw"]),
    }
