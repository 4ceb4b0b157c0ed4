"""So much is taken in at once and no more: whoever comes then waits a little, or is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from soc.errors import Busy

AT_ONCE = 16
"""Requests whose bodies are held in memory at once."""
PATIENCE = 8.0
"""Seconds that a reply is held: all shippers wait, and the least patient gives up after 10."""


class Turns:
    """Turns to bring events."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._free, self._patience = asyncio.Semaphore(at_once), patience

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Give a turn; raises Busy if none comes in time."""
        try:
            await asyncio.wait_for(self._free.acquire(), self._patience)
        except TimeoutError as late:
            raise Busy("too much is sent at once: send again a little later") from late
        try:
            yield
        finally:
            self._free.release()
