"""Who sends events: asked of the store once a moment, however many requests bring one token."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from soc.access.permissions import Principal
from soc.clock import monotonic

GOOD_FOR = 1.0
"""Seconds from the question on for which its answer is good: so long a revoked token lives on."""


class _Asked(NamedTuple):
    answer: asyncio.Future[Principal]
    until: float


class Tokens:
    """Remembers who holds which token. To be used on one loop.

    ask: returns who asks, or raises NotAuthenticated; it may wait. most: tokens. now: seconds on a
    clock that never goes back.
    """

    def __init__(
        self,
        ask: Callable[[HTTPConnection], Principal],
        most: int = 1_000,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._ask, self._most, self._now = ask, most, now
        self._asked: dict[str, _Asked] = {}

    async def who(self, connection: HTTPConnection) -> Principal:
        """Return who asks; raises NotAuthenticated, which is not remembered."""
        secret = connection.headers.get("authorization")
        if not secret:
            return await run_in_threadpool(self._ask, connection)
        asked = self._asked.get(secret)
        if asked is None or self._now() >= asked.until:
            asked = self._begin(secret, connection)
        return await asyncio.shield(asked.answer)  # whoever asked first may go away

    def _begin(self, secret: str, connection: HTTPConnection) -> _Asked:
        if len(self._asked) >= self._most:
            self._asked.clear()
        answer = asyncio.ensure_future(run_in_threadpool(self._ask, connection))
        self._asked[secret] = asked = _Asked(answer, self._now() + GOOD_FOR)
        answer.add_done_callback(partial(self._forget_failed, secret))
        return asked

    def _forget_failed(self, secret: str, answer: asyncio.Future[Principal]) -> None:
        asked = self._asked.get(secret)
        if (answer.cancelled() or answer.exception()) and asked and asked.answer is answer:
            del self._asked[secret]
