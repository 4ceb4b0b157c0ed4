"""Requests that wait for the same work are served together, as one batch, and one at a time.

Several clients that wait for each other's batch would make small ones in turn: as many as came
lately are awaited for a moment, so that all are in one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from soc.errors import SocError

Given = TypeVar("Given")
Done = TypeVar("Done")


Work = Callable[[Sequence[Given]], Sequence[Done | SocError]]

MOMENT = 0.004
"""Seconds for which those are awaited who came lately."""


class Gathering(Generic[Given, Done]):
    """Gives whatever waits to *work*, which returns for each what became of it, or why nothing did.

    weigh, most: how much may be in one batch; alone, one may weigh more. To be used on one loop.
    """

    def __init__(self, work: Work[Given, Done], weigh: Callable[[Given], int], most: int) -> None:
        self._work, self._weigh, self._most = work, weigh, most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="soc-gathering")
        self._waiting: deque[tuple[Given, asyncio.Future[Done]]] = deque()
        self._weight = 0
        self._expected = 1
        self._is_under_way = False
        self._awaited: asyncio.TimerHandle | None = None

    async def submit(self, given: Given) -> Done:
        """Return what became of *given*; raises what it failed with."""
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, future))
        self._weight += self._weigh(given)
        self._go_on()
        return await future

    def _go_on(self) -> None:
        """Begin what waits, or await for a moment who is missing."""
        if self._is_under_way or not self._waiting:
            return
        if len(self._waiting) >= self._expected or self._weight >= self._most:
            self._begin()
        elif self._awaited is None:
            self._awaited = asyncio.get_running_loop().call_later(MOMENT, self._begin)

    def _begin(self) -> None:
        if self._awaited:
            self._awaited.cancel()
            self._awaited = None
        group, self._is_under_way = self._take(), True
        given = [one for one, _ in group]
        begun = asyncio.get_running_loop().run_in_executor(self._thread, self._work, given)
        begun.add_done_callback(partial(self._end, [future for _, future in group]))

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
        futures: Sequence[asyncio.Future[Done]],
        begun: asyncio.Future[Sequence[Done | SocError]],
    ) -> None:
        self._is_under_way = False
        failed = asyncio.CancelledError() if begun.cancelled() else begun.exception()
        results = [failed] * len(futures) if failed else begun.result()
        for future, result in zip(futures, results, strict=True):
            if future.done():  # whoever asked is gone
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._expected = len(futures) + len(self._waiting)
        self._go_on()
