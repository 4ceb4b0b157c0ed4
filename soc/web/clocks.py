"""What clocks of incidents show, put into what the API and the console say of incidents."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col

from soc.incidents import clocks, lifecycle
from soc.incidents.clocks import Reading
from soc.model.value import rfc3339
from soc.store.tables import Incident
from soc.triage import Incidents

Plain = dict[str, Any]


def due_within(
    looking: Session, minutes: int, policy: Incidents, now: datetime
) -> Sequence[ColumnElement[bool]]:
    """Return the conditions of incidents that are due within *minutes*, or were before."""
    by = now + timedelta(minutes=minutes)
    late = clocks.not_yet_due(looking, policy, by, now)
    return [clocks.due_by(policy, by), col(Incident.id).not_in(late)]


def with_clocks(
    looking: Session,
    items: Sequence[Plain],
    settings: Incidents,
    now: datetime,
    rows: Sequence[Incident] | None = None,
) -> list[Plain]:
    """Return *items*, incidents as lists show them, each with ``clocks`` and what is ``due``.

    due: the clock that runs out first, or stands still; None where nothing is left to do, or
    nothing is promised. rows: the same incidents, if they are at hand.
    """
    numbers = [lifecycle.number_of(item["id"]) for item in items]
    shown = (
        clocks.of(looking, numbers, settings, now)
        if rows is None
        else clocks.of_rows(looking, rows, settings, now)
    )
    return [
        {**item, **_told(shown.get(number, ()))}
        for number, item in zip(numbers, items, strict=True)
    ]


def _told(readings: Sequence[Reading]) -> Plain:
    first = clocks.urgent(readings)
    return {"due": _plain(first) if first else None, "clocks": [_plain(one) for one in readings]}


def _plain(one: Reading) -> Plain:
    return {"clock": one.clock, "state": one.state, "due": rfc3339(one.due) if one.due else None}
