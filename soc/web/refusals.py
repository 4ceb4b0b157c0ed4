"""Which HTTP status an error is, and what a client is told with it, as RFC 9457 has it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from soc.errors import (
    AccessDenied,
    Busy,
    ContentError,
    HomeError,
    Illegal,
    LogError,
    NotAuthenticated,
    NotFound,
    Outdated,
    QueryError,
    Refused,
    SocError,
    StoreError,
    TooManyRequests,
    Unfit,
)
from soc.web.bulk import TooLarge

PROBLEM = "application/problem+json"

STATUS: tuple[tuple[type[SocError], int], ...] = (
    (NotAuthenticated, 401),
    (TooManyRequests, 429),
    (AccessDenied, 403),
    (TooLarge, 413),
    (NotFound, 404),
    (Illegal, 409),
    (Unfit, 409),
    (Outdated, 412),
    (Refused, 400),
    (ContentError, 400),
    (QueryError, 400),
    (Busy, 503),
    (LogError, 503),
    (StoreError, 503),
    (HomeError, 500),
)
SOON = 5
"""Seconds after which a store that took nothing may take again."""


def status_of(error: Exception) -> int:
    """Return the HTTP status of *error*."""
    return next((code for kind, code in STATUS if isinstance(error, kind)), 500)


def headers_of(error: Exception) -> dict[str, str]:
    """Return the headers that go with *error*: how to log in, or when to try again."""
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyRequests | Busy):
        return {"Retry-After": str(error.after)}
    return {"Retry-After": str(SOON)} if isinstance(error, LogError | StoreError) else {}


def problem(status: int, kind: str, reason: str, **more: object) -> dict[str, object]:
    """Return a problem. ``error`` and ``reason`` say the same as ``type`` and ``detail``."""
    return {
        "type": f"urn:commonwatch:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": reason,
        "error": kind,
        "reason": reason,
        **more,
    }


def answer(status: int, body: Mapping[str, object], headers: Mapping[str, str]) -> Response:
    """Return a problem as a client gets it."""
    return Response(orjson.dumps(body), status, dict(headers), media_type=PROBLEM)


def of_error(error: Exception) -> Response:
    """Return the problem that *error* is."""
    status = status_of(error)
    body = problem(status, type(error).__name__, str(error))
    return answer(status, body, headers_of(error))


def of_mistakes(mistakes: Sequence[Mapping[str, Any]]) -> Response:
    """Return a request that is not what the API takes: where, and what is wrong there.

    What was sent is not repeated: it may be a secret.
    """
    found = [{"at": ".".join(map(str, m["loc"])), "reason": m["msg"]} for m in mistakes]
    reason = "; ".join(f"{one['at']}: {one['reason']}" for one in found)
    return answer(422, problem(422, "Invalid", reason, errors=found), {})


_SHAPE = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string"},
        "reason": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": _SHAPE}}}
    for status in (400, 401, 403, 404, 409, 412, 413, 422, 429, 503)
}
"""What every route may answer instead, for OpenAPI."""
