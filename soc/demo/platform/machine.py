"""Ask the machine for time, unguessable text and threads; nothing else here does."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds on a clock that never goes back."""
    return time.monotonic()


def token() -> str:
    """Return text that nobody can guess."""
    return secrets.token_urlsafe(24)


def rfc3339(moment: datetime) -> str:
    """Return *moment* as RFC 3339 text in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Ticker:
    """Does *work* every *period* seconds in a thread, until it is stopped."""

    def __init__(self, name: str, period: float, work: Callable[[], None]) -> None:
        self._period = period
        self._work = work
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the work at hand."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        due = monotonic()
        while not self._stopping.wait(max(due - monotonic(), 0)):
            self._work()
            due = max(due + self._period, monotonic())
