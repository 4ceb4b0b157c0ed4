"""``_bulk`` as shippers speak it, and the few questions they ask before."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from soc.access.permissions import Permission, Principal
from soc.app.taking import Lines, check_source
from soc.clock import monotonic
from soc.errors import (
    AccessDenied,
    Busy,
    LogError,
    NotAuthenticated,
    Refused,
    SocError,
    TooManyRequests,
)
from soc.ingest import bulk
from soc.settings import Web
from soc.web.front import Front
from soc.web.gathering import Gathering
from soc.web.protocol import HANG_UP

TOO_MANY = "too many events at once: send smaller batches"
PRODUCT = {"X-elastic-product": "Elasticsearch"}
LATER = {"Retry-After": "2"}
WRITING = ("POST", "PUT")
BREAK = ord("\n")
MEMBERS = 1_000
"""Parts that a gzip body may be put together from: each costs a little, also an empty one."""
TOGETHER = 2 << 20
"""Bytes of several requests that are read and written as one batch."""
VERSION = {"number": "2.19.0", "distribution": "opensearch", "build_flavor": "default"}


class TooLarge(Refused):
    """A body beyond what the settings allow."""


class _Sent(NamedTuple):
    """One request. default: the index of its path. started: when it came, on monotonic()."""

    body: bytes
    default: str
    who: Principal
    started: float


class _Asked(NamedTuple):
    """What a request asks for, and the events among it."""

    what: bulk.Asked
    lines: Lines


class Bulk:
    """Takes events; answers when they are on the disk. One bare ASGI application."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._gathering = Gathering(self._store, lambda sent: len(sent.body), TOGETHER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except TooLarge as refused:
            response = refusal(413, refused.reason)
        except Refused as refused:
            response = refusal(400, refused.reason)
        except (Busy, LogError, TooManyRequests) as full:
            response = self._later(request, full)
        except AccessDenied as denied:
            response = refusal(401 if isinstance(denied, NotAuthenticated) else 403, denied.reason)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        started = monotonic()
        who = await self._front.tokens.who(request)
        who.require(Permission.INGEST)
        async with self._front.turns.one():
            body = await body_of(request, self._front.suite.settings.web, lines=2)
            index = str(request.path_params.get("index", ""))
            return await self._gathering.submit(_Sent(body, index, who, started))

    def _later(self, request: Request, full: Busy | LogError | TooManyRequests) -> Response:
        """Return what makes a client send the same again; rsyslog drops on any status."""
        if "user-agent" not in request.headers and HANG_UP in request.scope.get("extensions", {}):
            self._front.turns.refused()
            request.scope["extensions"][HANG_UP]["call"]()
        answer = refusal(503 if isinstance(full, LogError) else 429, full.reason)
        if isinstance(full, TooManyRequests):
            answer.headers["Retry-After"] = str(full.after)
        return answer

    def _store(self, many: Sequence[_Sent]) -> list[Response | SocError]:
        """Return the answer to each of *many*, when all that they brought is on the disk."""
        asked = [self._asked(sent) for sent in many]
        brought = [one.lines for one in asked if isinstance(one, _Asked) and one.lines.text]
        try:
            stored = iter(self._front.store_together(brought))
        except SocError as failed:
            return [one if isinstance(one, SocError) else failed for one in asked]
        return [
            one
            if isinstance(one, SocError)
            else _reply(sent, one.what, next(stored).kept if one.lines.text else ())
            for sent, one in zip(many, asked, strict=True)
        ]

    def _asked(self, sent: _Sent) -> _Asked | SocError:
        try:
            what = bulk.parse(sent.body, sent.default)
            if len(what.ids) > self._front.suite.settings.web.max_items:
                raise TooLarge(TOO_MANY)
            for index in set(what.names):
                check_source(index)
            taken = what.taken()
            bound = sent.who.source
            sources = [bound] * len(taken.ids) if bound else taken.names
            self._front.admit(Counter(sources))
        except SocError as refused:
            return refused
        return _Asked(what, Lines(taken.documents, taken.ids, sources))


def _reply(sent: _Sent, what: bulk.Asked, new: Sequence[bool]) -> Response:
    took = round((monotonic() - sent.started) * 1000)
    said = bulk.answer(what, new, took)
    return Response(said, media_type="application/json", headers=PRODUCT)


def refusal(status: int, reason: str) -> Response:
    """Return an error as OpenSearch clients read it."""
    body = {"error": {"type": "soc_exception", "reason": reason}, "status": status}
    more = {401: {"WWW-Authenticate": "Bearer"}, 429: LATER, 503: LATER}
    headers = PRODUCT | more.get(status, {})
    return JSONResponse(body, status, headers)


def is_straight(scope: Scope) -> bool:
    """Return whether this is a shipper's request to ``_bulk``, whose index *scope* then names.

    Without an Authorization of its own it may be what another site's page made a browser send.
    """
    if scope["type"] != "http" or scope["method"] not in WRITING:
        return False
    _, *parts = scope["path"].split("/")
    if parts[-1:] != ["_bulk"] or len(parts) > len(("INDEX", "_bulk")):
        return False
    if not any(name == b"authorization" for name, _ in scope["headers"]):
        return False
    scope["path_params"] = {"index": parts[0]} if parts[:-1] else {}
    return True


def routes(front: Front) -> Iterator[Route]:
    """Yield the routes that shippers use."""
    endpoint: Any = Bulk(front)
    for path in ("/_bulk", "/{index}/_bulk"):
        yield Route(path, endpoint, methods=WRITING)
    answers: dict[str, Any] = {
        "/_cluster/health": {"cluster_name": "commonwatch", "status": "green", "timed_out": False},
        "/_license": {"license": {"status": "active", "type": "basic"}},
        "/_nodes/http": {"nodes": {}},
    }
    for path, answer in answers.items():
        yield Route(path, partial(_json, answer), methods=["GET", "HEAD"])
    yield Route("/_cat/health", partial(_cat_health, front), methods=["GET", "HEAD"])
    for path in ("/_index_template/{name}", "/_template/{name}", "/_ilm/policy/{name}"):
        yield Route(path, partial(_json, {"acknowledged": True}), methods=["GET", "HEAD", "PUT"])


def greeting() -> Response:
    """Return what a client asks first of all."""
    body = {
        "name": "commonwatch",
        "cluster_name": "commonwatch",
        "cluster_uuid": "commonwatch",
        "version": VERSION,
    }
    return JSONResponse(body, headers=PRODUCT)


async def _json(answer: Any, _request: Request) -> Response:  # noqa: ANN401 - any JSON value
    return JSONResponse(answer, headers=PRODUCT)


async def _cat_health(front: Front, _request: Request) -> Response:
    """Return whether events are taken: rsyslog, hung up on, asks this before it goes on."""
    if front.turns.is_busy or front.log.problem:
        return PlainTextResponse("commonwatch red 1 1\n", 503, headers=PRODUCT | LATER)
    return PlainTextResponse("commonwatch green 1 1\n", headers=PRODUCT)


async def brought(
    front: Front,
    request: Request,
    store: Callable[[bytes], Response],
    lines: int = 1,
    longest: int | None = None,
) -> Response:
    """Return what *store* answers to the body, when there is a turn for it; raises Busy.

    longest: bytes, if fewer are allowed than the settings do.
    """
    allowed = front.suite.settings.web
    if longest is not None:
        allowed = allowed.model_copy(update={"max_body": min(allowed.max_body, longest)})
    async with front.turns.one():
        body = await body_of(request, allowed, lines)
        return await run_in_threadpool(store, body)


async def body_of(request: Request, allowed: Web, lines: int = 1) -> bytes:
    """Return the body, unpacked; raises what says that it is too large or no gzip.

    lines: what an event has of them; what holds more than the allowed events is not kept to its
    end, for a few bytes of gzip unpack to millions.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise Refused(f"content-encoding {encoding}: send gzip or none")
    packed = _Gzip() if encoding == "gzip" else None
    parts: list[bytes] = []
    sent = size = breaks = 0
    async for chunk in request.stream():
        sent += len(chunk)
        part = packed.unpack(chunk, allowed.max_body + 1 - size) if packed else chunk
        size += len(part)
        breaks += int(np.count_nonzero(np.frombuffer(part, np.uint8) == BREAK))
        if max(sent, size) > allowed.max_body:
            raise TooLarge("the body is too large: send smaller batches")
        if breaks > lines * allowed.max_items:
            raise TooLarge(TOO_MANY)
        parts.append(part)
    if packed and not packed.is_whole:
        raise Refused("the gzip body ends too early")
    return b"".join(parts)


class _Gzip:
    """Unpacks gzip as it comes, every member of it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1

    @property
    def is_whole(self) -> bool:
        """Return whether the last member has ended."""
        return self._member.eof

    def unpack(self, chunk: bytes, most: int) -> bytes:
        """Return what *chunk* adds, up to *most* bytes, one more than there may be."""
        parts: list[bytes] = []
        while chunk and most > 0:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
                self._members += 1
            if self._members > MEMBERS:
                raise Refused(f"the gzip has more than {MEMBERS} members: pack it as one")
            try:
                parts.append(self._member.decompress(chunk, most))
            except zlib.error as wrong:
                raise Refused(f"the body is no gzip: {wrong}") from wrong
            most -= len(parts[-1])
            chunk = self._member.unused_data
        return b"".join(parts)
