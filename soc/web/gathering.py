"""Requests that wait for the same work are served together, as one batch.

The next batch may be read while the one before it is written.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from soc.errors import SocError

Given = TypeVar("Given")
Done = TypeVar("Done")


Work = Callable[[Sequence[Given], Callable[[], None]], Sequence[Done | SocError]]

UNDER_WAY = 2
"""Batches at once: one waits for the disk, one for the interpreter. More would only contend."""


class Gathering(Generic[Given, Done]):
    """Gives whatever waits to *work*, which returns for each what became of it, or why nothing did.

    *work* calls what it gets besides when it only waits for the disk from there on. weigh, most:
    how much may be in one batch; alone, one may weigh more. worth: how much must wait to be begun
    beside another batch. To be used on one loop.
    """

    def __init__(
        self, work: Work[Given, Done], weigh: Callable[[Given], int], most: int, worth: int = 1
    ) -> None:
        self._work, self._weigh, self._most, self._worth = work, weigh, most, worth
        self._waiting: deque[tuple[Given, asyncio.Future[Done]]] = deque()
        self._weight = self._under_way = 0
        self._reading: Sequence[Given] | None = None

    async def submit(self, given: Given) -> Done:
        """Return what became of *given*; raises what it failed with."""
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, future))
        self._weight += self._weigh(given)
        self._begin()
        return await future

    def _begin(self) -> None:
        if not self._waiting or self._reading or self._under_way >= UNDER_WAY:
            return
        if self._under_way and self._weight < self._worth:
            return
        loop = asyncio.get_running_loop()
        group = self._take()
        given = [one for one, _ in group]
        self._reading, self._under_way = given, self._under_way + 1

        def was_read() -> None:
            loop.call_soon_threadsafe(self._go_on, given)

        begun = loop.run_in_executor(None, self._work, given, was_read)
        begun.add_done_callback(partial(self._end, given, [future for _, future in group]))

    def _go_on(self, read: Sequence[Given]) -> None:
        """Begin the next batch, now that *read* only waits for the disk, or is over."""
        if self._reading is read:
            self._reading = None
        self._begin()

    def _take(self) -> list[tuple[Given, asyncio.Future[Done]]]:
        group = [self._waiting.popleft()]
        weight = self._weigh(group[0][0])
        while self._waiting:
            weight += self._weigh(self._waiting[0][0])
            if weight > self._most:
                break
            group.append(self._waiting.popleft())
        self._weight -= sum(self._weigh(one) for one, _ in group)
        return group

    def _end(
        self,
        given: Sequence[Given],
        futures: Sequence[asyncio.Future[Done]],
        begun: asyncio.Future[Sequence[Done | SocError]],
    ) -> None:
        self._under_way -= 1
        failed = asyncio.CancelledError() if begun.cancelled() else begun.exception()
        results = [failed] * len(futures) if failed else begun.result()
        for future, result in zip(futures, results, strict=True):
            if future.done():  # whoever asked is gone
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._go_on(given)
