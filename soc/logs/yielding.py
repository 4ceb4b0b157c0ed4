"""How fast work in the background goes on: at once in calm, a quarter of the time in a burst."""

from collections.abc import Callable

from soc import clock

BURST = 5_000
"""Events in a second from which on it is a burst."""
GIVE_WAY = 3
"""So many times as long as a piece of work took, the next one waits in a burst."""
LONGEST = 2.0
"""Seconds that it waits at most: however long a burst lasts, the work comes to its end."""


class Yielding:
    """Waits before each piece of work where events come in fast: both would share one interpreter.

    given: how many events came up to now. wait: sleeps for so many seconds, or less.
    """

    def __init__(
        self,
        given: Callable[[], int],
        wait: Callable[[float], object],
        now: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._given, self._wait, self._now = given, wait, now
        self._at, self._known = now(), given()

    def pause(self) -> None:
        """Return when the next piece of work may begin."""
        took, came = self._now() - self._at, self._given() - self._known
        if came > BURST * took:
            self._wait(min(GIVE_WAY * took, LONGEST))
        self._at, self._known = self._now(), self._given()
