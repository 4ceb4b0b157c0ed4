"""How far event time has come, per source, so that order of arrival cannot matter."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pyarrow as pa

from soc.model.event import Batch
from soc.model.value import EPOCH, Utc, Value, bounded

MOST_SOURCES = 500
"""Sources that are followed; of more, those that have been silent longest are forgotten."""


class Progress(Value):
    """The newest moment of one source: of its events, and of their intake."""

    event: Utc = EPOCH
    intake: Utc = EPOCH

    def seeing(self, event: datetime, intake: datetime) -> "Progress":
        """Return it after one more event; no event is newer than its arrival."""
        event, intake = max(self.event, min(event, intake)), max(self.intake, intake)
        if (event, intake) == (self.event, self.intake):
            return self
        return Progress(event=event, intake=intake)


def advance(seen: Mapping[str, Progress], batch: Batch) -> dict[str, Progress]:
    """Return *seen* with the events of *batch*."""
    progress = dict(seen)
    columns = [batch.table["source"], batch.believed, batch.table["ingested"]]
    told = pa.table(columns, ["source", "event", "intake"]).group_by("source")
    for row in told.aggregate([("event", "max"), ("intake", "max")]).to_pylist():
        name = bounded(row["source"] or "")
        known = progress.get(name, Progress())
        progress[name] = known.seeing(row["event_max"], row["intake_max"])
    return latest(progress)


def latest(progress: Mapping[str, Progress]) -> dict[str, Progress]:
    """Return *progress* of the sources that were heard of last, as many as are followed."""
    if len(progress) <= MOST_SOURCES:
        return dict(progress)
    ordered = sorted(progress, key=lambda name: (progress[name].intake, name))
    return {name: progress[name] for name in sorted(ordered[-MOST_SOURCES:])}


def is_silent(progress: Progress, now: datetime, lateness: timedelta) -> bool:
    """Return whether nothing has come from a source for *lateness*."""
    return now - progress.intake > lateness


def watermark(progress: Progress, now: datetime, lateness: timedelta) -> datetime:
    """Return the moment before which nothing more is awaited from a source.

    It stays *lateness* behind the newest event; a source silent for that long takes the clock's.
    """
    return now if is_silent(progress, now, lateness) else progress.event - lateness
