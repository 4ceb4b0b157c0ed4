"""The API of experiments: what runs, what its looks showed, and which arm a unit gets."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlmodel import col, select

from soc.access.permissions import Permission
from soc.intelligence.experiments import book
from soc.store.tables import Experiment
from soc.web.asked import Cursor, Limit, Plain, needs
from soc.web.front import Front
from soc.web.paging import paged

Unit = Annotated[str, Query(max_length=64, examples=["0x00000000000000000000000000000000000000a1"])]
Preview = Annotated[bool, Query(description="Say it, and keep no exposure.")]


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of experiments to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/experiments", tags=["experiments"], dependencies=[reads])
    def every(limit: Limit = 100, cursor: Cursor = None) -> Plain:
        """Return the experiments with the looks that were taken, the last name first."""
        with front.reading() as looking:
            order = [col(Experiment.name)]
            return paged(looking, select(Experiment), order, book.told, limit, cursor)

    @routes.get("/experiments/{name}", tags=["experiments"], dependencies=[reads])
    def one(name: str) -> Plain:
        """Return an experiment, and whether as many units saw each arm as its weights say.

        Looks are taken on the command line alone: they are paid for.
        """
        from soc.app import experiments  # defers SciPy: a front door starts without it

        with front.reading() as looking:
            row = book.get(looking, name)
            told = book.told(row)
        return {**told, "standing": experiments.standing(row, front.log.reader)}

    @routes.get("/experiments/{name}/assignment", tags=["experiments"])
    def assignment(request: Request, name: str, unit: Unit, *, preview: Preview = False) -> Plain:
        """Return the arm of a wallet, and keep that it is shown it, once.

        Ask when the arm is shown, not before. It is always the same. Before the start and after
        the stop everybody gets the first arm, and nothing is kept. This needs a token of scope
        authz, as edges have it; a preview is for readers too.
        """
        from soc.app import experiments  # as above

        who = front.who_asks(request)
        if not preview or Permission.READ not in who.permissions:
            who.require(Permission.AUTHZ)
        with front.reading() as looking:
            given = experiments.given(book.get(looking, name), unit)
        recorded = False
        if given.is_exposed and not preview:
            row = experiments.row_of(given, front.suite.clock.now())
            recorded = front.store([(experiments.SOURCE, row)]).accepted > 0
        return {
            "experiment": given.experiment,
            "state": given.state,
            "unit": given.unit,
            "arm": given.arm,
            "recorded": recorded,
        }
