"""Do once what is asked twice with one ``Idempotency-Key``, and bound what is read.

As draft-ietf-httpapi-idempotency-key-header has it: the same request gets the same answer again;
another one with that key is refused; one whose end is unknown is not begun a second time.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.errors import Illegal, Refused, SocError
from soc.store.locks import alone
from soc.store.tables import RequestKey
from soc.web.asked import bounded_body
from soc.web.front import Front
from soc.web.late import LateRoute

LONGEST_KEY = 128
LARGEST = 1_000_000
"""Bytes of a JSON body."""
REMEMBERED = timedelta(days=1)
Handler = Callable[[Request], Awaitable[Response]]


def once(front: Front) -> type[LateRoute]:
    """Return the kind of route that keeps to idempotency keys."""

    class Once(LateRoute):
        """A route whose changes happen once for each key."""

        def get_route_handler(self) -> Handler:  # type: ignore[override]
            """Return what serves a request."""
            handler = super().get_route_handler()
            takes_json = self.body_field is not None

            async def serve(request: Request) -> Response:
                if takes_json:
                    # What was read here is what the handler reads.
                    request._body = await bounded_body(request, LARGEST)  # noqa: SLF001
                key = request.headers.get("idempotency-key")
                if key is None or request.method != "POST":
                    return await handler(request)
                return await _serve_once(front, request, key, handler)

            return serve

    return Once


async def _serve_once(front: Front, request: Request, key: str, handler: Handler) -> Response:
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise Refused(f"Idempotency-Key: write 1 to {LONGEST_KEY} printable characters")
    who = front.who(request)
    if who is None:
        return await handler(request)
    said = b"\n".join([request.url.path.encode(), request.url.query.encode(), await _body(request)])
    digest = sha256(said).hexdigest()
    known = await run_in_threadpool(_begin, front, who, key, digest)
    if known is not None:
        return known
    try:
        answer = await handler(request)
    except (SocError, RequestValidationError, HTTPException):
        await run_in_threadpool(_end, front, who, key, None)
        raise
    await run_in_threadpool(_end, front, who, key, answer)
    return answer


async def _body(request: Request) -> bytes:
    return await request.body() if hasattr(request, "_body") else b""


def _begin(front: Front, who: Principal, key: str, digest: str) -> Response | None:
    """Write down that a request begins; return the answer it got before, if it did."""
    now = front.suite.clock.now()
    with front.writing() as writing:
        alone(writing, f"request {who.name} {key}")
        row = writing.get(RequestKey, (who.name, key))
        if row is not None and row.at < now - REMEMBERED:
            writing.delete(row)
            writing.flush()
            row = None
        if row is None:
            writing.add(RequestKey(who=who.name, key=key, digest=digest, at=now))
            return None
        if row.digest != digest:
            raise Refused("this Idempotency-Key was used for another request: take a new one")
        if row.status is None:
            raise Illegal(
                "a request with this Idempotency-Key was begun and has not ended: see what it did"
            )
        again = {"Idempotent-Replayed": "true"}
        return Response(row.body, row.status, again, media_type="application/json")


def _end(front: Front, who: Principal, key: str, answer: Any) -> None:  # noqa: ANN401 - any kind of answer
    """Keep the answer, or forget a request that was refused: it may be asked again, corrected."""
    with front.writing() as writing:
        row = writing.get_one(RequestKey, (who.name, key))
        if answer is None:
            writing.delete(row)
        else:
            row.status, row.body = answer.status_code, bytes(answer.body).decode()
            writing.add(row)
