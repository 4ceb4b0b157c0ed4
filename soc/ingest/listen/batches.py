"""Gather lines into batches, and hold back whoever sends while the store is slow."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from soc.errors import LogError

SIZE = 500
WAIT = 0.1
"""Seconds that a line waits for others at most."""
ROOM = 2 * SIZE
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
LAST_TRIES = 3


class Line(NamedTuple):
    """One line on its way to the store.

    id: what makes it the same when it comes again, where its event names none. reason: why it is
    kept as a reject without being read. peer: the address it came from.
    """

    source: str
    data: bytes
    form: str = "auto"
    id: str | None = None
    reason: str = ""
    peer: str = ""


Append = Callable[[Sequence[Line]], None]
"""Stores lines; returns when they are on the disk. Raises LogError if they are not."""


class Batches:
    """Lines of all inputs, stored in their order, at most 500 or 100 ms at once.

    What the store cannot take is tried again, in its place, while nothing more is taken.
    """

    def __init__(self, append: Append) -> None:
        self._append = append
        self._waiting: asyncio.Queue[Line | None] = asyncio.Queue(ROOM)
        self._is_ending = False

    async def put(self, line: Line) -> None:
        """Take *line*; wait while the store is behind."""
        await self._waiting.put(line)

    def offer(self, line: Line) -> bool:
        """Take *line*, or return False while the store is behind."""
        try:
            self._waiting.put_nowait(line)
        except asyncio.QueueFull:
            return False
        return True

    async def end(self) -> None:
        """Let *run* store what was taken, and return."""
        self._is_ending = True
        await self._waiting.put(None)

    async def run(self) -> None:
        """Store until told to end."""
        is_last = False
        while not is_last:
            batch, is_last = await self._gather()
            if batch:
                await self._store(batch)

    async def _gather(self) -> tuple[list[Line], bool]:
        first = await self._waiting.get()
        if first is None:
            return [], True
        batch = [first]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                while len(batch) < SIZE:
                    following = await self._waiting.get()
                    if following is None:
                        return batch, True
                    batch.append(following)
        return batch, False

    async def _store(self, batch: list[Line]) -> None:
        pause, tries = FIRST_PAUSE, 0
        while True:
            try:
                await asyncio.to_thread(self._append, batch)
            except LogError as full:
                tries = tries + 1 if self._is_ending else 0
                if tries > LAST_TRIES:
                    told = "%d lines of inputs are not stored: %s"
                    logging.getLogger(__name__).error(told, len(batch), full)  # noqa: TRY400 - foreseen
                    return
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
