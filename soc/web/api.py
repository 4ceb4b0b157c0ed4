"""``/api/v1``: the JSON twins of the console's pages, for scripts and people with tokens."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from sqlmodel import col, func, select
from starlette.concurrency import run_in_threadpool

from soc.access.permissions import Permission, Principal
from soc.app.taking import Lines, check_format, check_source, counts_of
from soc.errors import TooManyRequests
from soc.incidents import lifecycle
from soc.logs.port import Appended
from soc.model.value import rfc3339
from soc.respond import approvals, ledger, reconcile, stopping
from soc.store.tables import Effect, Incident
from soc.web import (
    attack,
    entities,
    experiments,
    health,
    hunting,
    incidents,
    intelligence,
    kpis,
    listing,
    lists,
    money,
    playbooks,
    refusals,
    rules,
    running,
    saved,
    settings,
    sources,
    suppressions,
    threats,
    views,
)
from soc.web.asked import Body, Number, Plain, Reason, needs
from soc.web.bulk import body_of
from soc.web.front import Front
from soc.web.late import LateRoute
from soc.web.once import once

NOTHING = Appended(None, None, (), 0)


class Decision(Body):
    """An answer to an approval; the digest is that of what was shown."""

    decision: Literal["approve", "reject"]
    digest: str
    reason: str = ""


def router(front: Front) -> APIRouter:
    """Return the routes; each names the permission it needs."""
    limit = front.suite.settings.web.api_per_minute

    def limited(request: Request) -> None:
        address = front.address(request)
        if not front.allows("api", address, limit):
            front.tell_limit("api", address)
            raise TooManyRequests("too many requests: wait a minute")

    routes = APIRouter(
        prefix="/api/v1",
        dependencies=[Depends(limited)],
        route_class=once(front),
        responses=refusals.DOCUMENTED,
    )
    listing.add(routes, front)
    incidents.add(routes, front)
    _response(routes, front)
    entities.add(routes, front)
    running.add(routes, front)
    money.add(routes, front)
    kpis.add(routes, front)
    hunting.add(routes, front)
    suppressions.add(routes, front)
    lists.add(routes, front)
    experiments.add(routes, front)
    saved.add(routes, front)
    rules.add(routes, front)
    attack.add(routes, front)
    sources.add(routes, front)
    playbooks.add(routes, front)
    health.add(routes, front)
    settings.add(routes, front)
    threats.add(routes, front)
    intelligence.add(routes, front)
    _events(routes, front)
    intake = APIRouter(route_class=LateRoute)
    _intake(intake, front)
    routes.include_router(intake)
    return routes


def _response(routes: APIRouter, front: Front) -> None:
    reads = needs(front, Permission.READ)
    approves = needs(front, Permission.APPROVE, person=True)
    lifts = needs(front, Permission.RESPOND, person=True)
    clock = front.suite.clock

    @routes.get("/approvals/{number}", tags=["approvals"], dependencies=[reads])
    def approval(number: Number) -> Plain:
        """Return one question, with its digest and exactly what would be done."""
        with front.reading() as looking:
            return views.approval(looking, approvals.get(looking, number))

    @routes.post("/approvals/{number}/decide", tags=["approvals"])
    def decide(number: Number, given: Decision, who: Principal = approves) -> Plain:
        """Answer a question; 409 if it is no longer open or the digest is another."""
        with front.writing() as writing:
            decided = approvals.decide(
                writing,
                number,
                who,
                approve=given.decision == "approve",
                digest=given.digest,
                reason=given.reason,
                now=clock.now(),
            )
            return views.approval(writing, decided)

    @routes.post("/effects/{name}/lift", tags=["effects"], status_code=202)
    def lift(name: str, given: Reason, who: Principal = lifts) -> Plain:
        """Queue the undo of an active effect, as a person."""
        with front.writing() as writing:
            ledger.ask_lift(writing, name, who.name, given.reason, clock.now())
            return views.effect(writing.get_one(Effect, name))

    @routes.get("/response", tags=["effects"], dependencies=[reads])
    def response() -> Plain:
        """Return whether all response is stopped, and how edges obey what is in force."""
        with front.reading() as looking:
            policy = front.suite.settings.edges
            found = reconcile.standing(looking, policy, clock.now(), with_effects=False)
            return {"stop": views.stop(stopping.stopped(looking)), **views.standing(found)}

    @routes.post("/response/{turn}", tags=["effects"])
    def turn(turn: Literal["stop", "start"], given: Reason, who: Principal = lifts) -> Plain:
        """Stop all response, or let it run again, as a person."""
        act = stopping.stop if turn == "stop" else stopping.start
        with front.writing() as writing:
            act(writing, who.name, given.reason, clock.now())
            return {"stop": views.stop(stopping.stopped(writing))}


def _events(routes: APIRouter, front: Front) -> None:
    reads, reader = needs(front, Permission.READ), front.log.reader

    @routes.get("/events/stats", tags=["events"], dependencies=[reads])
    def stats() -> Plain:
        """Return how much is stored, and what comes from where."""
        senders = reader.senders()
        view = reader.view()
        with front.reading() as looking:
            open_ = select(func.count()).where(col(Incident.state).in_(lifecycle.OPEN))
            return {
                "last_seq": view.upto,
                "rejects": reader.count_rejects(),
                "sources": [
                    {
                        "source": one.source,
                        "events": one.events,
                        "last_seen": rfc3339(one.last_seen),
                    }
                    for one in senders
                ],
                "open_incidents": looking.exec(open_).one(),
            }


def _intake(routes: APIRouter, front: Front) -> None:
    ingests = needs(front, Permission.INGEST)

    sources.add_replay(routes, front)

    @routes.post("/ingest", tags=["events"])
    async def ingest(
        request: Request,
        source: str | None = None,
        form: Annotated[str, Query(alias="format")] = "auto",
        who: Principal = ingests,
    ) -> Plain:
        """Store lines of any known format; what no parser takes is kept as a reject.

        They go under *source*, else under that of the token, else under ``http``.
        """
        under = who.sends_as(source, "http")
        check_source(under)
        check_format(front.suite.intake, form)
        body = await body_of(request, front.suite.settings.web)
        lines = [line for line in body.split(b"\n") if line.strip()]

        def append() -> Plain:
            front.admit({under: len(lines)})
            return counts_of(front.store_lines(Lines.of(lines, under, form)))

        return await run_in_threadpool(append) if lines else counts_of(NOTHING)
