"""Join small segments into large ones, in the order of numbers, and back-fill promoted fields."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
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
PATIENCE = 4
"""So many times more of them wait while there is a burst."""
AT_ONCE = 256
"""Segments that are joined in one go, so that something is done also in short lives."""
LARGE = 1_000_000
"""Rows of a segment that is joined again only when its day is over."""


class Job(NamedTuple):
    """Segments of one class and day, in the order of numbers, that are to become one."""

    segments: tuple[Segment, ...]


def next_job(
    state: State, today: date, promotion: Promotion, *, is_calm: bool = True
) -> Job | None:
    """Return what is to be joined next, oldest day first; None if nothing is.

    A day that is over becomes one file for each class, with all promoted fields. is_calm: what was
    sealed without them in a burst gets them now, and fewer segments are worth joining.
    """
    groups: defaultdict[tuple[date, str], list[Segment]] = defaultdict(list)
    for segment in state.live:
        groups[segment.day, segment.data_class].append(segment)
    for (day, data_class), group in sorted(groups.items()):
        behind = [segment for segment in group if segment.promoted != promotion.digest]
        is_behind = data_class != REJECTS and bool(behind)
        if day < today and (len(group) > 1 or is_behind):
            few = len(group) <= AT_ONCE
            return Job(tuple(group if few else group[_first_small(group) :][:AT_ONCE]))
        if day >= today and (found := _of_today(group, is_calm=is_calm, is_behind=is_behind)):
            return Job(tuple(found))
    return None


def _of_today(group: Sequence[Segment], *, is_calm: bool, is_behind: bool) -> Sequence[Segment]:
    """Return the segments of a day that is not over that are worth joining already."""
    first = _first_small(group)
    if len(group) - first >= (MANY if is_calm else MANY * PATIENCE):
        return group[first:][:AT_ONCE]
    bare = [number for number, segment in enumerate(group) if not segment.promoted]
    return group[bare[0] : bare[-1] + 1] if is_calm and is_behind and bare else ()


def _first_small(group: Sequence[Segment]) -> int:
    """Return the place from which on segments are joined again, at most the last but one."""
    small = [number for number, segment in enumerate(group) if segment.rows < LARGE]
    return max(0, min(small[0] if small else len(group), len(group) - 2))


def run(
    job: Job,
    files: Files,
    chain: Chain,
    promotion: Promotion,
    clock: Clock,
    go_on: Callable[[], None] = lambda: None,
) -> None:
    """Write the segments of *job* as one, which takes their place.

    go_on: is called again and again; what it raises ends the work, of which nothing is left.
    """
    one = job.segments[0]
    is_plain = one.data_class == REJECTS
    current = is_plain or all(s.promoted == promotion.digest for s in job.segments)
    names = {PREFIX + field for field in promotion.fields}
    if current:
        names = {name for segment in job.segments for name in files.promoted(segment)}
    digest = promotion.digest if not is_plain else one.promoted
    place = Place(files.root, one.data_class, one.day, digest, chain.mark)
    pieces = _pieces(job.segments, files, None if is_plain else promotion, go_on)
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
    segments: Sequence[Segment],
    files: Files,
    promotion: Promotion | None,
    go_on: Callable[[], None],
) -> Iterator[Piece]:
    for segment in segments:
        behind = promotion is not None and segment.promoted != promotion.digest
        for piece in files.pieces(segment):
            go_on()
            yield promoted(piece.table, promotion) if promotion and behind else piece
