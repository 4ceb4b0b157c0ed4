"""Ask the machine for time and passwords; nothing else here does."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def password() -> str:
    """Return a password that nobody can guess."""
    return secrets.token_urlsafe(12)


def rfc3339(moment: datetime) -> str:
    """Return *moment* as RFC 3339 text in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundClock:
    """Translates round days into real time; opening: the moment of day 0."""

    opening: datetime
    day_seconds: float

    def moment(self, day: float) -> datetime:
        """Return when *day* is."""
        return self.opening + timedelta(seconds=day * self.day_seconds)

    def today(self) -> float:
        """Return which day it is now."""
        return (now() - self.opening).total_seconds() / self.day_seconds

    def sleep_until(self, day: float) -> None:
        """Wait for *day*; return at once if it is past."""
        seconds = (self.moment(day) - now()).total_seconds()
        if seconds > 0:
            time.sleep(seconds)
