"""Keep how far each source has come."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from sqlmodel import Session, col, select

from soc.store.locks import alone
from soc.store.tables import SourceState


class State(NamedTuple):
    """How far a source has come. day_events: taken on *day*, UTC. refused: beyond its limits."""

    name: str
    last_seen: datetime
    day: date
    day_events: int
    refused: int

    def on(self, day: date) -> "State":
        """Return it as of *day*: on a new one nothing was taken yet."""
        return self if self.day == day else self._replace(day=day, day_events=0)


def read(session: Session, most: int) -> list[State]:
    """Return the sources seen last, at most so many."""
    rows = session.exec(select(SourceState).order_by(col(SourceState.last_seen).desc()).limit(most))
    return [State(r.name, r.last_seen, r.day, r.day_events, r.refused) for r in rows]


def keep(session: Session, states: Iterable[State]) -> None:
    """Put *states* in the place of what was kept; of front doors at once, each in turn."""
    alone(session, "sources")
    for state in sorted(states):
        session.merge(SourceState(**state._asdict()))
