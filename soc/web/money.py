"""The API of money: rounds, their matching, and what incidents put at risk."""

from functools import partial

from fastapi import APIRouter
from sqlmodel import col, select

from soc.access.permissions import Permission
from soc.errors import NotFound
from soc.funding import projection
from soc.incidents import rounds
from soc.store.tables import Round
from soc.web.asked import Cursor, Limit, Plain, needs
from soc.web.front import Front
from soc.web.paging import paged


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of rounds to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/rounds", tags=["rounds"], dependencies=[reads])
    def listed(limit: Limit = 100, cursor: Cursor = None) -> Plain:
        """Return funding rounds with what was given in them, by id, the last first."""
        with front.reading() as looking:
            view = partial(projection.summary, looking)
            return paged(looking, select(Round), [col(Round.id)], view, limit, cursor)

    @routes.get("/rounds/{name:path}", tags=["rounds"], dependencies=[reads])
    def one(name: str) -> Plain:
        """Return one round: what its pool pays with and without the wallets of open incidents."""
        return whole_round(front, name)


def whole_round(front: Front, name: str) -> Plain:
    """Return one round as the API and its page show it; raises NotFound."""
    suite = front.suite
    with front.reading() as looking:
        found = rounds.whole(looking, name, suite.settings.incidents.money, suite.clock.now())
    if found is None:
        raise NotFound("round", name)
    return found
