"""What comes after a mark in each shard, as one batch in the order of intake."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soc.logs.reader import LogReader
from soc.model.event import Batch, empty
from soc.model.shard import Marks, first_of, mark_of


@dataclass(frozen=True, slots=True)
class Following:
    """Events, where one stands after them, and whether there are more."""

    batch: Batch
    marks: Marks
    more: bool


def following(reader: LogReader, marks: Marks, limit: int, upto: Marks | None = None) -> Following:
    """Return about *limit* events above *marks*, up to *upto*, of every shard that has some.

    While several have more than their share, all are followed to one moment of intake: a source
    that sends through several front doors would else seem to be late.
    """
    known = reader.upto()
    if upto is not None:
        known = {shard: min(last, mark_of(upto, shard)) for shard, last in known.items()}
    waiting = sorted(shard for shard, last in known.items() if last > mark_of(marks, shard))
    if not waiting:
        return Following(Batch(empty(), max(marks.values(), default=0)), marks, more=False)
    share = max(1, limit // len(waiting))
    found = {shard: reader.scan(mark_of(marks, shard), share) for shard in waiting}
    if upto is not None:
        found = {shard: _cut(batch, known[shard]) for shard, batch in found.items()}
    batch, moved = _together(found, marks, known) if len(found) > 1 else _alone(found)
    reached = {**marks, **moved}
    more = any(mark_of(reached, shard) < last for shard, last in known.items())
    return Following(batch, reached, more and reached != marks)


def newest(upto: Marks, events: int) -> dict[int, int]:
    """Return the marks after which the newest *events* begin, as many of each shard."""
    share = -(-events // max(1, len(upto)))
    return {shard: max(first_of(shard), last - share) for shard, last in upto.items()}


def _alone(found: Mapping[int, Batch]) -> tuple[Batch, Marks]:
    ((shard, batch),) = found.items()
    return batch, {shard: batch.upto}


def _together(found: Mapping[int, Batch], marks: Marks, known: Marks) -> tuple[Batch, Marks]:
    """Return the events of all up to where the first of those stops that have more."""
    arrived = {shard: _arrived(batch) for shard, batch in found.items()}
    stops = [
        times[-1]
        for shard, times in arrived.items()
        if len(times) and found[shard].upto < known[shard]
    ]
    tables, order, moved = [empty()], [np.empty(0, np.int64)], dict[int, int]()
    for shard, batch in found.items():
        times = arrived[shard]
        rows = int(np.searchsorted(times, min(stops), side="right")) if stops else len(times)
        tables.append(batch.table.slice(0, rows))
        order.append(times[:rows])
        last = batch.table["seq"][rows - 1].as_py() if rows else mark_of(marks, shard)
        moved[shard] = batch.upto if rows == len(times) else last
    table = pa.concat_tables(tables).take(np.argsort(np.concatenate(order), kind="stable"))
    return Batch(table, max(moved.values())), moved


def _arrived(batch: Batch) -> npt.NDArray[np.int64]:
    """Return when each event was taken in; never before the one that its shard has before it."""
    times = batch.table["ingested"].cast(pa.int64()).to_numpy()
    return np.maximum.accumulate(times) if len(times) else times


def _cut(batch: Batch, upto: int) -> Batch:
    if batch.upto <= upto:
        return batch
    rows = sum(seq <= upto for seq in batch.column("seq"))
    return Batch(batch.table.slice(0, rows), upto)
