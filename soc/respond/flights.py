"""Actions under way outside any transaction: each in a thread, each with a deadline.

A thread cannot be stopped: one that is late is abandoned, and what it brings back later is not
looked at.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread

from soc.clock import monotonic
from soc.respond.acting import classify
from soc.respond.action import World
from soc.respond.step import Failure
from soc.respond.turn import Outside, Result


@dataclass(frozen=True, slots=True)
class _Flight:
    future: Future[Result]
    end: float


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

    def __init__(self, world: Callable[[str], World], crew: "Crew") -> None:
        self._world, self._crew = world, crew
        self._under_way: dict[str, _Flight] = {}

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def paths(self) -> frozenset[str]:
        """Return where in the journal the actions stand that are under way."""
        return frozenset(self._under_way)

    def launch(self, actions: Sequence[Outside]) -> None:
        """Begin *actions*."""
        for one in actions:
            future: Future[Result] = Future()
            flight = _Flight(future, monotonic() + one.timeout)
            self._under_way[one.path] = flight
            self._crew.do(partial(self._fly, one, future))

    def landed(self, patience: timedelta) -> list[tuple[str, Result]]:
        """Return how actions ended, once any has or *patience* is over."""
        ends = [flight.end - monotonic() for flight in self._under_way.values()]
        longest = max(min(*ends, patience.total_seconds()) if ends else 0.0, 0.0)
        futures = [flight.future for flight in self._under_way.values()]
        wait(futures, timeout=longest, return_when=FIRST_COMPLETED)
        now = monotonic()
        over: list[tuple[str, Result]] = []
        for path, flight in list(self._under_way.items()):
            if flight.future.done():
                over.append((path, flight.future.result()))
            elif flight.end <= now:
                over.append((path, Result(failure=Failure.TIMEOUT, error="it took too long")))
        for path, _ in over:
            del self._under_way[path]
        return over

    def _fly(self, outside: Outside, future: Future[Result]) -> None:
        try:
            future.set_result(Result(output=_done(outside, self._world(outside.key))))
        except Exception as failed:  # noqa: BLE001 - one of the five edges: a step that fails is recorded
            told = f"{type(failed).__name__}: {failed}"
            future.set_result(Result(failure=classify(failed), error=told))


def _done(outside: Outside, world: World) -> object:
    if outside.undo:
        outside.action.undo(world)
        return {}
    found = outside.action.probe(world) if outside.look else None
    return outside.action.run(world) if found is None else found
