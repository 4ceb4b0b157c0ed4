"""What edges ask: which rules are in force, and whether a subject may act."""

import asyncio
import re
from datetime import datetime
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from soc.access.permissions import Permission
from soc.clock import monotonic
from soc.edge import Refusal, Rule, Snapshot, key_of
from soc.errors import StoreError
from soc.respond import ledger, reconcile
from soc.store.tables import Edge
from soc.web.front import Front
from soc.web.late import LateRoute
from soc.web.refusals import DOCUMENTED

LOOK_EVERY = 0.03
"""Seconds between two looks at the ledger's version: one for all edges that wait."""
MAX_WAIT = 30.0
SUBJECT = re.compile(r"wallet:[0-9A-Za-z._:-]+|account:[^\s,]+|ip:[0-9A-Fa-f.:/]+")
"""What a proxy may ask about. A comma is what two headers are when a proxy makes one of them."""

Count = Annotated[int, Field(ge=0, le=2**53)]


class Report(BaseModel):
    """What an edge says about itself."""

    model_config = ConfigDict(extra="forbid")

    edge: Annotated[str, Field(min_length=1, max_length=128)]
    version: Count
    skew_ms: Annotated[int, Field(ge=-(2**53), le=2**53)]
    applied: Count
    failed: Count


class Gate:
    """The front door's own edge, for proxies that ask about each request. Any thread may use it."""

    def __init__(self, front: Front) -> None:
        self._front, self._snapshot, self._version = front, Snapshot(), 0
        self._lock = Lock()

    def refusal(self, subject: str, now: datetime) -> Refusal | None:
        """Return why *subject* may not act, or None."""
        with self._lock:
            self._follow(now)
        return self._snapshot.refusal([subject], now)

    def _follow(self, now: datetime) -> None:
        """Obey what changed; one at a time, or an older change could undo a newer one."""
        with self._front.reading() as looking:
            changes = ledger.rules_after(looking, self._version, now)
        rules = [Rule.parse(rule) for rule in changes["rules"]]
        if changes["full"]:
            self._snapshot.replace(rules)
        elif changes["version"] != self._version:
            self._snapshot.change(rules, changes["removed"], now)
        self._version = changes["version"]


class News:
    """The ledger's version, looked up once for all long polls."""

    def __init__(self, front: Front) -> None:
        self._front, self._lock = front, asyncio.Lock()
        self._version, self._looked = 0, float("-inf")

    async def version(self) -> int:
        """Return the version, which may be a moment old."""
        async with self._lock:
            if monotonic() - self._looked >= LOOK_EVERY:
                self._version = await run_in_threadpool(_version, self._front)
                self._looked = monotonic()
            return self._version


def router(front: Front) -> APIRouter:
    """Return the routes of edges; all need a token of scope authz."""

    def authorised(request: Request) -> None:
        front.require(request, Permission.AUTHZ)

    gated = [Depends(authorised)]
    routes = APIRouter(
        route_class=LateRoute, dependencies=gated, tags=["edges"], responses=DOCUMENTED
    )
    gate, news = Gate(front), News(front)

    @routes.get("/v1/edge/rules")
    async def rules(
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT)] = 0,
    ) -> dict[str, Any]:
        """Return what changed after version *after*; hold the answer up to *wait* seconds."""
        end = monotonic() + wait
        while True:
            if await news.version() != after or monotonic() >= end:
                return await run_in_threadpool(_changes, front, after)
            await asyncio.sleep(LOOK_EVERY)

    @routes.post("/v1/edge/report", status_code=204)
    def report(said: Report) -> Response:
        """Keep what an edge says about itself."""
        with front.writing() as writing:
            row = Edge(
                name=said.edge,
                reported=front.suite.clock.now(),
                **said.model_dump(exclude={"edge"}),
            )
            reconcile.heard(writing, row, front.suite.settings.edges)
        return Response(status_code=204)

    @routes.get("/authz")
    def authz(
        request: Request,
        x_soc_subject: Annotated[str | None, Header()] = None,
        deny: Annotated[int, Query()] = 429,
    ) -> Response:
        """Answer 200, 403 or 429 for the subject that the proxy names."""
        if len(request.headers.getlist("x-soc-subject")) != 1 or not x_soc_subject:
            return JSONResponse({"reason": "send exactly one X-Soc-Subject"}, 403)
        subject = x_soc_subject.strip()
        if not is_subject(subject):
            reason = "X-Soc-Subject is no subject: send wallet:0x…, account:… or ip:…"
            return JSONResponse({"reason": reason}, 403)
        refused = gate.refusal(subject, front.suite.clock.now())
        return _refuse(refused, deny) if refused else JSONResponse({"allowed": True})

    return routes


def health(front: Front) -> dict[str, Any]:
    """Return how many edges obey the ledger, and how long the oldest of them was not heard of.

    Anybody may ask this: it names nobody.
    """
    try:
        with front.reading() as looking:
            now = front.suite.clock.now()
            found = reconcile.standing(looking, front.suite.settings.edges, now, with_effects=False)
    except StoreError:
        return {"status": "unknown"}
    ages = [edge.age.total_seconds() for edge in found.edges]
    return {
        "status": "drift" if found.troubles else "ok",
        "live": sum(edge.is_live for edge in found.edges),
        "silent": sum(not edge.is_live for edge in found.edges),
        "oldest_s": round(max(ages), 1) if ages else None,
    }


def is_subject(text: str) -> bool:
    """Return whether *text* is what a rule may be about: nothing else is ever let through."""
    try:
        return bool(SUBJECT.fullmatch(text) and key_of(text))
    except ValueError:
        return False


def _refuse(refused: Refusal, deny: int) -> Response:
    headers = {"X-Soc-Effect": refused.effect, "Retry-After": str(refused.seconds)}
    status = refused.status
    if status == 429 and deny == 403:  # noqa: PLR2004 - HTTP's numbers; nginx knows only 401 and 403
        headers["X-Soc-Status"], status = "429", 403
    return JSONResponse({"allowed": False, "effect": refused.effect}, status, headers)


def _version(front: Front) -> int:
    with front.reading() as looking:
        return ledger.version(looking)


def _changes(front: Front, after: int) -> dict[str, Any]:
    with front.reading() as looking:
        return ledger.rules_after(looking, after, front.suite.clock.now())
