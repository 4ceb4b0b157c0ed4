"""What figures are made of: flat rows, and where they come from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from soc.errors import LogError, QueryError
from soc.logs.query import Asking
from soc.model.value import micros
from soc.settings import Settings

MOST_ROWS = 100_000
HOUR = 3_600_000_000
"""Microseconds of an hour."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one kind: each column a whole number, text or None; moments in microseconds.

    reason: why there are none, or not all, if something stood against it. fresh: when the newest
    of what they were made of came.
    """

    rows: tuple[Row, ...] = ()
    reason: str = ""
    fresh: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Where rows come from, and of which time: from *since* until before *until*.

    events: None where nothing was ever taken in.
    """

    session: Session
    events: Asking | None
    settings: Settings
    since: datetime
    until: datetime

    @property
    def within(self) -> tuple[int, int]:
        """The window in microseconds since 1970."""
        return micros(self.since), micros(self.until)

    def ask(self, query: str) -> Rows:
        """Return what *query*, a SELECT on the view ``events``, finds, or why it cannot say."""
        if self.events is None:
            return Rows(reason="no event was ever taken in")
        try:
            found = self.events.rows(query, MOST_ROWS + 1)
        except (QueryError, LogError) as failed:
            return Rows(reason=f"the event store could not be asked: {failed}")
        return whole(found)


def whole(found: list[Row], fresh: datetime | None = None) -> Rows:
    """Return *found* as rows; too many are none: half of them would say something else."""
    if len(found) > MOST_ROWS:
        return Rows(reason=f"there are more than {MOST_ROWS:,} rows: choose a shorter window")
    return Rows(tuple(found), fresh=fresh)


def at(moment: datetime | None) -> int | None:
    """Return *moment* in microseconds since 1970, or None."""
    return None if moment is None else micros(moment)
