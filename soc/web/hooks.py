"""``POST /hooks/NAME``: what other services push, signed with a secret that both know."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from soc.access.signatures import Signed, verify
from soc.app.taking import counts_of
from soc.clock import nonce
from soc.errors import Illegal, NotAuthenticated, NotFound, SocError
from soc.ingest import hooks as bodies
from soc.inputs import Hook
from soc.store import hooks as seen
from soc.web.bulk import TOO_MANY, TooLarge, brought
from soc.web.front import Front
from soc.web.otlp import ANY
from soc.web.refusals import headers_of, status_of

LONGEST = 25 * 1024 * 1024
"""Bytes of a body: the largest that GitHub sends."""
KNOWN = "this request was taken before: a request is signed once"


class Hooks:
    """Takes signed requests; answers when their events are on the disk. A bare application."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._hooks = {hook.name: hook for hook in front.suite.settings.inputs.hooks}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            response = await self._answer(Request(scope, receive))
        except SocError as refused:
            said = {"error": type(refused).__name__, "reason": str(refused)}
            response = JSONResponse(said, status_of(refused), headers_of(refused))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        hook = self._hooks.get(name)
        if hook is None:
            raise NotFound("hook", name)
        take = partial(self._take, request, hook)
        return await brought(self._front, request, take, ANY, LONGEST)

    def _take(self, request: Request, hook: Hook, body: bytes) -> Response:
        front, now = self._front, self._front.suite.clock.now()
        try:
            signed = verify(hook, dict(request.headers.items()), body, now)
        except NotAuthenticated as refused:
            self._tell(request, hook, refused)
            raise
        with front.reading() as looking:
            if seen.is_known(looking, hook.name, signed.digest):
                raise Illegal(KNOWN)
        counted = self._store(hook, body, signed)
        # After the events: should we die between, their ids let nothing in twice.
        kept = hook.window * 2 if hook.timestamp else hook.remember
        with front.writing() as writing:
            seen.remember(writing, hook.name, signed.digest, now, now - kept)
        return JSONResponse(counted)

    def _store(self, hook: Hook, body: bytes, signed: Signed) -> dict[str, Any]:
        items = bodies.items_of(body, hook.items)
        if len(items) > self._front.suite.settings.web.max_items:
            raise TooLarge(TOO_MANY)
        if not items:
            return {"accepted": 0, "rejected": 0, "duplicates": 0}
        key, dataset = f"{hook.name}:{signed.digest[:32]}", f"hook.{hook.name}"
        self._front.admit({hook.source: len(items)})
        intake = self._front.suite.intake
        rows = bodies.read(intake, items, hook.format, dataset, key, signed.at)
        return counts_of(self._front.store([(hook.source, row) for row in rows]))

    def _tell(self, request: Request, hook: Hook, refused: NotAuthenticated) -> None:
        """Tell, once a minute for an address, that somebody sent what is not signed."""
        address = self._front.address(request)
        if self._front.allows(f"unsigned {hook.name}", address, 1):
            message = f"hook {hook.name}: {refused.reason}"
            self._front.tell("hook", "failure", nonce(), address=address, message=message)


def routes(front: Front) -> Iterator[Route]:
    """Yield the route."""
    endpoint: Any = Hooks(front)
    yield Route("/hooks/{name}", endpoint, methods=["POST"])
