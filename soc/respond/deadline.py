"""Wait so long for something and no longer; and how long, before it is tried again."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import TypeVar

Given = TypeVar("Given")
LONGEST_PAUSE = timedelta(minutes=5)


def pause(failures: int) -> timedelta:
    """Return how long to leave alone what failed so often in a row: 1, 2, 4 … 300 seconds."""
    return min(timedelta(seconds=2.0 ** min(failures - 1, 16)), LONGEST_PAUSE)


class _Kept(AbstractContextManager["_Kept"]):
    """Keeps what is raised, for whoever waits in another thread."""

    raised: BaseException | None = None

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        raised: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        self.raised = raised
        return True


def within(seconds: float, call: Callable[[], Given]) -> Given:
    """Return what *call* gives; raise TimeoutError if it takes longer, and leave it to its end.

    It runs in a thread of its own that keeps no process from ending.
    """
    given: list[Given] = []
    kept = _Kept()

    def carry() -> None:
        with kept:
            given.append(call())

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    thread.join(seconds)
    if kept.raised:
        raise kept.raised
    if not given:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return given[0]
