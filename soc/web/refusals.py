"""Which HTTP status an error is, and what else a client must be told with it."""

from soc.errors import (
    AccessDenied,
    Busy,
    ContentError,
    HomeError,
    Illegal,
    LogError,
    NotAuthenticated,
    NotFound,
    QueryError,
    Refused,
    SocError,
    StoreError,
    TooManyRequests,
)
from soc.web.bulk import TooLarge

STATUS: tuple[tuple[type[SocError], int], ...] = (
    (NotAuthenticated, 401),
    (TooManyRequests, 429),
    (AccessDenied, 403),
    (TooLarge, 413),
    (NotFound, 404),
    (Illegal, 409),
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
