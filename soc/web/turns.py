"""So much is taken in at once and no more: whoever comes then waits a little, or is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from soc.clock import monotonic
from soc.errors import Busy

AT_ONCE = 16
"""Requests whose bodies are held in memory at once."""
CALM = 2.0
"""Seconds after a refusal in which it is still busy."""
PATIENCE = 8.0
"""Seconds that a reply is held: all shippers wait, and the least patient gives up after 10."""


class Turns:
    """Turns to bring events."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._free, self._patience = asyncio.Semaphore(at_once), patience
        self._refused = float("-inf")

    @property
    def is_busy(self) -> bool:
        """Return whether somebody was just refused, or would have to wait."""
        return self._free.locked() or monotonic() - self._refused < CALM

    def refused(self) -> None:
        """Remember that somebody was refused: for a moment nobody should come."""
        self._refused = monotonic()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Give a turn; raises Busy if none comes in time."""
        if self._free.locked():
            try:
                await asyncio.wait_for(self._free.acquire(), self._patience)
            except TimeoutError as late:
                raise Busy("too much is sent at once: send again a little later") from late
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()
