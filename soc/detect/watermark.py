"""How far event time has come, per source, so that order of arrival cannot matter."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from soc.model.event import Batch
from soc.model.value import EPOCH, Utc, Value


class Progress(Value):
    """The newest moment of one source: of its events, and of their intake."""

    event: Utc = EPOCH
    intake: Utc = EPOCH


def advance(seen: Mapping[str, Progress], batch: Batch) -> dict[str, Progress]:
    """Return *seen* with the events of *batch*; no event is newer than its arrival."""
    progress = dict(seen)
    columns = (batch.column(name) for name in ("source", "ts", "ingested"))
    for source, ts, ingested in zip(*columns, strict=True):
        old = progress.get(source, Progress())
        event = max(old.event, min(ts, ingested))
        intake = max(old.intake, ingested)
        if (event, intake) != (old.event, old.intake):
            progress[source] = Progress(event=event, intake=intake)
    return progress


def watermark(progress: Progress, now: datetime, lateness: timedelta) -> datetime:
    """Return the moment before which nothing more is awaited from a source.

    It stays *lateness* behind the newest event; a source silent for that long takes the clock's.
    """
    return now if now - progress.intake > lateness else progress.event - lateness
