"""The API of what was learned: the last report, and models with their cards."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter

from soc.access.permissions import Permission, Principal
from soc.app.telling import kept
from soc.errors import NotFound
from soc.intelligence import registry
from soc.web.asked import Number, Plain, Reason, needs
from soc.web.front import Front

Wallet = Annotated[
    str, Query(max_length=64, examples=["0x00000000000000000000000000000000000000a1"])
]
Few = Annotated[int, Query(ge=1, le=100)]


class Part(StrEnum):
    """What a report consists of. data: users and transactions. trends: of figures."""

    DATA = "data"
    FEATURES = "features"
    MODELS = "models"
    IMBALANCE = "imbalance"
    CLUSTERS = "clusters"
    RECOMMENDER = "recommender"
    ASSOCIATIONS = "associations"
    EXPERIMENTS = "experiments"
    KPIS = "kpis"
    TRENDS = "trends"
    CHANGES = "changes"


Task = Annotated[str, PathParameter(max_length=64, examples=["returns"])]


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of what was learned to *routes*."""
    reads, writes = needs(front, Permission.READ), needs(front, Permission.AUTHOR)
    suite = front.suite

    @routes.get("/intelligence", tags=["intelligence"], dependencies=[reads])
    def intelligence() -> Plain:
        """Return the last report that ``soc intelligence report`` made; 404 before the first."""
        told = kept(suite)
        if told is None:
            raise NotFound("report", "any: run soc intelligence report")
        return told

    @routes.get("/intelligence/suggestions", tags=["intelligence"], dependencies=[reads])
    def suggestions(wallet: Wallet, n: Few = 5) -> Plain:
        """Return projects that donors of the same taste gave to, and a wallet did not yet.

        They come from the newest view that ``soc intelligence build`` made; suspected wallets have
        no vote.
        """
        from soc.app import groups  # defers DuckDB

        return asdict(groups.suggestions(suite, wallet, n, None))

    @routes.get("/intelligence/{part}", tags=["intelligence"], dependencies=[reads])
    def of_report(part: Part) -> Plain:
        """Return one part of the last report, when it was made, and as of when."""
        told = intelligence()
        return {"made": told["made"], "as_of": told["data"]["as_of"], part.value: told[part.value]}

    @routes.get("/models", tags=["intelligence"], dependencies=[reads])
    def models() -> Plain:
        """Return all models with their cards, by task and the newest first."""
        return {"items": listed(front)}

    @routes.get("/models/{task}/{version}", tags=["intelligence"], dependencies=[reads])
    def model(task: Task, version: Number) -> Plain:
        """Return one model with its card."""
        with front.reading() as looking:
            return registry.told(registry.named(looking, f"{task}/{version}"))

    @routes.post("/models/{task}/{version}/promote", tags=["intelligence"])
    def promote(task: Task, version: Number, given: Reason, who: Principal = writes) -> Plain:
        """Make a model the champion of its task; 409 if it is."""
        with front.writing() as writing:
            row = registry.named(writing, f"{task}/{version}")
            registry.promote(writing, row, given.reason, who.name, suite.clock.now())
            return registry.told(row)

    @routes.post("/models/{task}/rollback", tags=["intelligence"])
    def rollback(task: Task, given: Reason, who: Principal = writes) -> Plain:
        """Make the champion before the present one the champion again; 409 if there was none."""
        with front.writing() as writing:
            now = suite.clock.now()
            return registry.told(registry.rollback(writing, task, given.reason, who.name, now))


def listed(front: Front) -> list[Plain]:
    """Return all models with their cards."""
    with front.reading() as looking:
        return [registry.told(row) for row in registry.listed(looking)]
