"""``POST /v1/logs``: OTLP over HTTP, as OpenTelemetry SDKs and collectors send logs."""

import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from soc.access.permissions import Permission, Principal
from soc.app.taking import LONGEST_SOURCE
from soc.errors import SocError
from soc.ingest import otlp
from soc.ingest.otlp import Encoding
from soc.model.event import Reject
from soc.web.bulk import TooLarge, brought
from soc.web.front import Front
from soc.web.refusals import headers_of, status_of

PATH = "/v1/logs"
LONGEST = 16 * 1024 * 1024
"""Bytes of a request, unpacked: protobuf unpacks to many times its size. Collectors send 4 MiB."""
ANY = sys.maxsize
SOURCE = "otlp"
"""The source of records whose resource has no service.name."""
CODES = {400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 429: 8, 503: 14}
"""HTTP status to google.rpc.Code."""


class Logs:
    """Takes log records; answers when they are on the disk. One bare ASGI application."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        encoding = encoding_of(request)
        try:
            response = await self._answer(request, encoding)
        except otlp.TooMany as refused:
            response = _refusal(encoding, TooLarge(refused.reason))
        except SocError as refused:
            response = _refusal(encoding, refused)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request, encoding: Encoding | None) -> Response:
        who = await self._front.tokens.who(request)
        who.require(Permission.INGEST)
        if encoding is None:
            kinds = " or ".join(Encoding)
            text = f"this media type is not taken: send {kinds}"
            return Response(
                otlp.status(Encoding.JSON, CODES[415], text), 415, media_type=Encoding.JSON
            )
        store = partial(self._store, encoding=encoding, who=who)
        return await brought(self._front, request, store, ANY, LONGEST)

    def _store(self, body: bytes, encoding: Encoding, who: Principal) -> Response:
        suite = self._front.suite
        most, now = suite.settings.web.max_items, suite.clock.now()
        found = otlp.records(body, encoding, most, now)
        sources = [who.source or source_of(one.service) for one in found]
        self._front.admit(Counter(sources))
        rows = suite.intake.read((one.line, None) for one in found)
        named = list(zip(sources, rows, strict=True))
        if named:
            self._front.store(named)
        reasons = [row.reason for row in rows if isinstance(row, Reject)]
        return Response(otlp.answer(encoding, reasons), media_type=encoding)


def encoding_of(request: Request) -> Encoding | None:
    """Return how the body is written; None for a media type that OTLP does not have."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Encoding(given) if given in set(Encoding) else None


def source_of(service: str) -> str:
    """Return the source of a service's records: its name, as far as it can be one."""
    name = "".join(letter for letter in service if letter.isprintable())[:LONGEST_SOURCE]
    return name.strip() or SOURCE


def routes(front: Front) -> Iterator[Route]:
    """Yield the route."""
    endpoint: Any = Logs(front)
    yield Route(PATH, endpoint, methods=["POST"])


def _refusal(encoding: Encoding | None, error: SocError) -> Response:
    code = status_of(error)
    written = encoding or Encoding.JSON
    body = otlp.status(written, CODES.get(code, 13), str(error))
    return Response(body, code, headers_of(error), media_type=written)
