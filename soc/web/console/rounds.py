"""Rounds: what their pool pays with and without suspects."""

from functools import partial

from fastapi import APIRouter, Request
from sqlmodel import col, select
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.funding import projection
from soc.report import charts
from soc.store.tables import Round
from soc.web.console.shell import Console, PageNumber, paged
from soc.web.money import whole_round

GRAPHS = 5
"""Clusters that are drawn, of those with more than one wallet."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the list and the page of one round."""
    front, reads = console.front, console.reader()

    @routes.get("/rounds")
    def rounds(request: Request, who: Principal = reads, page: PageNumber = 1) -> Response:
        """Show all rounds."""
        with front.reading() as looking:
            view = partial(projection.summary, looking)
            found = select(Round).order_by(col(Round.opened).desc(), col(Round.id).desc())
            listed = paged(looking, found, view, page)
        return console.page(request, "rounds.html", who=who, **listed, twin="/api/v1/rounds")

    @routes.get("/rounds/{name:path}")
    def one(request: Request, name: str, who: Principal = reads) -> Response:
        """Show one round."""
        found = whole_round(front, name)
        several = [cluster for cluster in found["clusters"] if cluster["wallets"] > 1][:GRAPHS]
        return console.page(
            request,
            "round.html",
            who=who,
            round=found,
            shown_bars=charts.bars([int(one["change"] or 0) for one in found["projects"]]),
            graphs=[(cluster, charts.graph(cluster["links"])) for cluster in several],
            twin=f"/api/v1{request.url.path}",
        )
