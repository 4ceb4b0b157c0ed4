"""Requests that wait for the same work are served together, by one thread, as one batch."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from soc.errors import SocError

Given = TypeVar("Given")
Done = TypeVar("Done")


class Gathering(Generic[Given, Done]):
    """Gives whatever waits to *work*, which returns for each what became of it, or why nothing did.

    One batch is under way at a time: a second thread would only contend for the interpreter.
    weigh, most: how much may be in one batch; alone, one may weigh more. To be used on one loop.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Given]], Sequence[Done | SocError]],
        weigh: Callable[[Given], int],
        most: int,
    ) -> None:
        self._work, self._weigh, self._most = work, weigh, most
        self._waiting: deque[tuple[Given, asyncio.Future[Done]]] = deque()
        self._is_working = False

    async def submit(self, given: Given) -> Done:
        """Return what became of *given*; raises what it failed with."""
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, future))
        self._begin()
        return await future

    def _begin(self) -> None:
        if not self._waiting or self._is_working:
            return
        group = self._take()
        self._is_working = True
        given = [one for one, _ in group]
        begun = asyncio.get_running_loop().run_in_executor(None, self._work, given)
        begun.add_done_callback(partial(self._end, [future for _, future in group]))

    def _take(self) -> list[tuple[Given, asyncio.Future[Done]]]:
        group = [self._waiting.popleft()]
        weight = self._weigh(group[0][0])
        while self._waiting:
            weight += self._weigh(self._waiting[0][0])
            if weight > self._most:
                break
            group.append(self._waiting.popleft())
        return group

    def _end(
        self,
        futures: Sequence[asyncio.Future[Done]],
        begun: asyncio.Future[Sequence[Done | SocError]],
    ) -> None:
        self._is_working = False
        failed = asyncio.CancelledError() if begun.cancelled() else begun.exception()
        results = [failed] * len(futures) if failed else begun.result()
        for future, result in zip(futures, results, strict=True):
            if future.done():  # whoever asked is gone
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._begin()
