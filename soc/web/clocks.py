"""What clocks of incidents show, put into what the API and the console say of incidents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from soc.incidents import clocks, lifecycle
from soc.incidents.clocks import Reading
from soc.model.value import rfc3339
from soc.settings import Incidents

Plain = dict[str, Any]


def with_clocks(
    looking: Session, items: Sequence[Plain], settings: Incidents, now: datetime
) -> list[Plain]:
    """Return *items*, incidents as lists show them, each with ``clocks`` and what is ``due``.

    due: the clock that runs out first, or stands still; None where nothing is left to do, or
    nothing is promised.
    """
    numbers = [lifecycle.number_of(item["id"]) for item in items]
    shown = clocks.of(looking, numbers, settings, now)
    return [
        {**item, **_told(shown.get(number, ()))}
        for number, item in zip(numbers, items, strict=True)
    ]


def _told(readings: Sequence[Reading]) -> Plain:
    first = clocks.urgent(readings)
    return {"due": _plain(first) if first else None, "clocks": [_plain(one) for one in readings]}


def _plain(one: Reading) -> Plain:
    return {"clock": one.clock, "state": one.state, "due": rfc3339(one.due) if one.due else None}
