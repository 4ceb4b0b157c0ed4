"""Tell the time, and make what must be unguessable. No other module asks the machine for it."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Whatever can say what time it is."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return datetime.now(UTC)


@dataclass
class SettableClock:
    """A clock that shows what it is set to: for tests, simulations and replays."""

    moment: datetime

    def now(self) -> datetime:
        """Return the moment it is set to."""
        return self.moment


def monotonic() -> float:
    """Return seconds on a clock that never goes back: for deadlines, never for records."""
    return time.monotonic()


def busy() -> float:
    """Return the CPU seconds that this thread has used: for measurements, never for decisions."""
    return time.thread_time()


def nonce(size: int = 32) -> str:
    """Return *size* unguessable bytes as text that is safe in a URL."""
    return secrets.token_urlsafe(size)


def jitter() -> float:
    """Return a factor from 0.5 to 1.5, so that many who wait do not come back together."""
    return 0.5 + secrets.randbelow(1_001) / 1_000


def pause(seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)
