"""Count very many hits at a time, if they came in the order of time: as ``correlate`` does it."""

from collections.abc import Sequence
from functools import partial
from itertools import count, repeat
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from soc.detect.sigma.memory import MAX_ALL, MAX_KEPT
from soc.detect.sigma.packed import Group, Ints, Packed
from soc.detect.sigma.window import MAX_SEQS, Correlated, Seen

FAR = 2**62
"""Larger numbers of groups and moments together could not be told apart."""


class _Numbers(dict[Group, int]):
    """Numbers groups as they are asked for."""

    def __missing__(self, group: Group) -> int:
        number = self[group] = len(self)
        return number


class Bulk:
    """Hits, after the *old* ones that are remembered, by group and time.

    span: of a window. kept: for how long hits are remembered after what is awaited.
    """

    def __init__(self, hits: Sequence[Seen], old: Packed, span: int, kept: int) -> None:
        self._hits, self._span = hits, span
        self._new, new, awaited = (_column(hits, field) for field in ("at", "seq", "awaited"))
        self._before = int(awaited.max()) - kept
        self._olds = len(old.ats)
        self._numbers = _Numbers(zip(old.names, count(), strict=False))
        before = np.repeat(np.arange(len(old.names)), old.sizes)
        codes = map(self._numbers.__getitem__, map(itemgetter(Seen._fields.index("group")), hits))
        self._codes = np.concatenate([before, np.fromiter(codes, np.int64, len(hits))])
        self._ats = np.concatenate([old.ats, self._new])
        self._seqs = np.concatenate([old.seqs, new])
        self._order = np.argsort(_small(self._codes, len(self._numbers)), kind="stable")
        width = int(self._ats.max() - self._ats.min()) + kept + span + 2
        self.is_exact = self._is_exact(awaited - kept, width)
        self._places = self._codes[self._order] * width + self._ats[self._order]

    def _is_exact(self, since: Ints, width: int) -> bool:
        """Return whether this comes to what looking at each hit does.

        since: up to when, at each hit, others are forgotten.
        """
        olds, seqs = self._olds, self._seqs
        in_time = bool((np.diff(self._new) >= 0).all() and (np.diff(seqs[olds:]) > 0).all())
        if olds and in_time:
            in_time = self._ats[:olds].max() <= self._new[0] and seqs[:olds].max() < seqs[olds]
        most = len(self._ats)
        if most > MAX_ALL:
            before = np.searchsorted(np.sort(self._ats), since)
            most = int((np.arange(olds, most) - before).max()) + 1
        largest = int(np.bincount(self._codes).max())
        fits = most <= MAX_ALL and largest <= MAX_KEPT and width * len(self._numbers) < FAR
        return bool(in_time) and fits

    def crowds(self, least: int) -> list[Correlated]:
        """Return the windows with at least so many hits, in the order in which that was so."""
        starts = np.searchsorted(self._places, self._places - self._span)
        counts = np.arange(len(starts)) - starts + 1
        enough = ((counts >= least) & (self._order >= self._olds)).nonzero()[0]
        ends = enough[np.argsort(self._order[enough])]
        places = (self._order[ends] - self._olds).tolist()
        hits = [self._hits[place] for place in places]
        seqs = self._seqs[self._order].tolist()
        windows = zip(starts[ends].tolist(), (ends + 1).tolist(), strict=True)
        columns = (
            [hit.group for hit in hits],
            self._ats[self._order[starts[ends]]].tolist(),
            self._ats[self._order[ends]].tolist(),
            [hit.at for hit in hits],
            counts[ends].tolist(),
            [tuple(_told(seqs, *window)) for window in windows],
            [hit.came or hit.seq for hit in hits],
            [hit.passed for hit in hits],
            [hit.awaited for hit in hits],
            repeat((), len(hits)),
        )
        return list(map(partial(tuple.__new__, Correlated), zip(*columns, strict=True)))

    def left(self) -> Packed:
        """Return what to remember."""
        live = self._order[self._ats[self._order] >= self._before]
        codes = self._codes[live]
        ends = np.flatnonzero(np.diff(codes, append=-1)) + 1
        sizes = np.diff(ends, prepend=0)
        names = list(self._numbers)
        left = [names[code] for code in codes[ends - 1].tolist()]
        return Packed(left, sizes, self._ats[live], self._seqs[live])


def _told(seqs: list[int], start: int, end: int) -> list[int]:
    half = MAX_SEQS // 2
    if end - start <= MAX_SEQS:
        return seqs[start:end]
    return seqs[start : start + half] + seqs[end - half : end]


def _small(codes: Ints, count: int) -> npt.NDArray[np.integer[Any]]:
    """Return *codes* below *count* in two octets if they fit: these are sorted quickly."""
    return codes.astype(np.uint16) if count <= 1 << 16 else codes


def _column(hits: Sequence[Seen], field: str) -> Ints:
    values = map(itemgetter(Seen._fields.index(field)), hits)
    return np.fromiter(values, np.int64, len(hits))
