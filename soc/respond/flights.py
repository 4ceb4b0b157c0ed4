"""Actions under way outside any transaction: each in a thread, each with a deadline.

A thread cannot be stopped: one that is late is abandoned, and what it brings back later is not
looked at.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from soc.clock import monotonic
from soc.respond.acting import classify
from soc.respond.action import World
from soc.respond.step import Failure
from soc.respond.turn import Outside, Result


class Crew:
    """Threads that do one thing after another, as many as are needed at once.

    They are daemons: one that hangs keeps no process from ending.
    """

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], None]]] = []
        self._lock = Lock()

    def do(self, work: Callable[[], None]) -> None:
        """Do *work* in a thread that is idle, or a new one."""
        with self._lock:
            mail = self._idle.pop() if self._idle else None
        if mail is None:
            mail = SimpleQueue()
            Thread(target=self._serve, args=(mail,), daemon=True, name="action").start()
        mail.put(work)

    def _serve(self, mail: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            mail.get()()
            with self._lock:
                self._idle.append(mail)


class Flights:
    """What one run has under way."""

    def __init__(self, world: Callable[[Outside], World], crew: Crew) -> None:
        self._world, self._crew = world, crew
        self._ends: dict[str, float] = {}
        self._landed: SimpleQueue[tuple[str, Result]] = SimpleQueue()

    def __bool__(self) -> bool:
        return bool(self._ends)

    def paths(self) -> frozenset[str]:
        """Return where in the journal the actions stand that are under way."""
        return frozenset(self._ends)

    def launch(self, actions: Sequence[Outside]) -> None:
        """Begin *actions*."""
        for one in actions:
            self._ends[one.path] = monotonic() + one.timeout
            self._crew.do(partial(self._fly, one))

    def landed(self, patience: timedelta) -> list[tuple[str, Result]]:
        """Return how actions ended, once any has or *patience* is over."""
        first = min(self._ends.values()) - monotonic()
        over: list[tuple[str, Result]] = []
        with suppress(Empty):
            over.append(self._landed.get(timeout=max(min(first, patience.total_seconds()), 0.001)))
            while True:
                over.append(self._landed.get_nowait())
        over = [one for one in over if one[0] in self._ends]  # what was abandoned is not looked at
        now, came = monotonic(), {path for path, _ in over}
        late = [path for path, end in self._ends.items() if end <= now and path not in came]
        over += [(p, Result(failure=Failure.TIMEOUT, error="it took too long")) for p in late]
        for path, _ in over:
            del self._ends[path]
        return over

    def _fly(self, outside: Outside) -> None:
        try:
            result = Result(output=_done(outside, self._world(outside)))
        except Exception as failed:  # noqa: BLE001 - one of the five edges: a step that fails is recorded
            told = f"{type(failed).__name__}: {failed}"
            result = Result(failure=classify(failed), error=told)
        self._landed.put((outside.path, result))


def _done(outside: Outside, world: World) -> object:
    if outside.undo:
        outside.action.undo(world)
        return {}
    found = outside.action.probe(world) if outside.look else None
    return outside.action.run(world) if found is None else found
