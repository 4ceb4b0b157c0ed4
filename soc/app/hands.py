"""The threads that carry runs: they look often and cheaply, and stop when told to."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from soc.app.heartbeat import Jobs
from soc.clock import monotonic
from soc.errors import StoreError
from soc.respond.engine import Engine

THREADS = 2
"""Runs that one worker carries at once; what waits is carried by none."""
LOOK_EVERY, ENDS_EVERY = 0.05, 0.25
AFTER_LOSS = 1.0
PATIENCE = 5.0

_log = logging.getLogger(__name__)


class Responding:
    """Threads that carry due runs until they are stopped."""

    def __init__(self, engine: Engine, stop: Event, jobs: Jobs) -> None:
        self._stop, self._jobs, self._woken = stop, jobs, Event()
        self._threads = [
            Thread(target=self._again, args=(name, engine.work, LOOK_EVERY), name=name, daemon=True)
            for name in (f"runs {number}" for number in range(THREADS))
        ]
        ends = ("ends of effects", lambda: engine.end_due() > 0, ENDS_EVERY)
        self._threads.append(Thread(target=self._again, args=ends, name=ends[0], daemon=True))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look at once: something was queued."""
        self._woken.set()

    def join(self) -> None:
        """Wait until what was begun is finished, but not for long; the stop was set before.

        An action that is still under way then is in doubt, as after a crash.
        """
        end = monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(end - monotonic(), 0))

    def _again(self, name: str, look: Callable[[], bool], pause: float) -> None:
        """Look again and again; a store that is lost is looked for later."""

        def once() -> None:
            if not look() and self._woken.wait(pause):
                self._woken.clear()

        watched = self._jobs.watched(name, once)
        try:
            while not self._stop.is_set():
                try:
                    watched()
                except StoreError as lost:
                    _log.warning("%s", lost)
                    self._stop.wait(AFTER_LOSS)
        finally:
            # A thread that breaks ends its worker; another is started, and counts the claim.
            self._stop.set()
