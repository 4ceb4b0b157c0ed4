"""Join small segments into large ones, in the order of numbers, and back-fill promoted fields."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from soc.clock import Clock
from soc.logs.chain import Chain, Segment, State
from soc.logs.port import Keep
from soc.logs.promote import PREFIX, Promotion
from soc.logs.segments import Files, Piece, Place, promoted, put
from soc.model.event import REJECTS

MANY = 64
"""Small segments of a day that is not over yet that are joined."""
LARGE = 1_000_000
"""Rows of a segment that is joined again only when its day is over."""


class Job(NamedTuple):
    """Segments of one class and day, in the order of numbers, that are to become one."""

    segments: tuple[Segment, ...]


def next_job(state: State, today: date, promotion: Promotion) -> Job | None:
    """Return what is to be joined next, oldest day first; None if nothing is.

    A day that is over becomes one file for each class, with all promoted fields.
    """
    groups: defaultdict[tuple[date, str], list[Segment]] = defaultdict(list)
    for segment in state.live:
        groups[segment.day, segment.data_class].append(segment)
    for (day, data_class), group in sorted(groups.items()):
        if day < today:
            behind = data_class != REJECTS and group[0].promoted != promotion.digest
            if len(group) > 1 or behind:
                return Job(tuple(group))
        elif small := [segment for segment in group if segment.rows < LARGE]:
            first = next(n for n, segment in enumerate(group) if segment is small[0])
            run = group[first:]
            if len(run) >= MANY:
                return Job(tuple(run))
    return None


def run(job: Job, files: Files, chain: Chain, promotion: Promotion, clock: Clock) -> None:
    """Write the segments of *job* as one, which takes their place."""
    one = job.segments[0]
    is_plain = one.data_class == REJECTS
    current = is_plain or all(s.promoted == promotion.digest for s in job.segments)
    names = {PREFIX + field for field in promotion.fields}
    if current:
        names = {name for segment in job.segments for name in files.promoted(segment)}
    digest = promotion.digest if not is_plain else one.promoted
    place = Place(files.root, one.data_class, one.day, digest, chain.mark)
    pieces = _pieces(job.segments, files, None if is_plain else promotion)
    segment = put(place, pieces, sorted(names))
    chain.append("compact", clock.now(), [segment], job.segments)


def without(segment: Segment, files: Files, keep: Keep, mark: str) -> tuple[Segment, ...] | None:
    """Write *segment* without the rows that *keep* refuses; None if it refuses none."""
    masks = [pa.array(keep(piece.table), pa.bool_()) for piece in files.pieces(segment)]
    left = sum(pc.sum(mask).as_py() or 0 for mask in masks)
    if left == segment.rows:
        return None
    if not left:
        return ()
    pieces = (
        Piece(piece.table.filter(mask), piece.whole)
        for piece, mask in zip(files.pieces(segment), masks, strict=True)
    )
    place = Place(files.root, segment.data_class, segment.day, segment.promoted, mark)
    return (put(place, (p for p in pieces if p.table.num_rows), files.promoted(segment)),)


def _pieces(
    segments: Sequence[Segment], files: Files, promotion: Promotion | None
) -> Iterator[Piece]:
    for segment in segments:
        behind = promotion is not None and segment.promoted != promotion.digest
        for piece in files.pieces(segment):
            yield promoted(piece.table, promotion) if promotion and behind else piece
