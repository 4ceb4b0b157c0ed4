"""Count very many hits at a time, if they came in the order of time: as ``correlate`` does it."""

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from soc.detect.sigma.memory import MAX_ALL, MAX_KEPT, Counts, Kept

Ints = npt.NDArray[np.int64]
Group = tuple[str, ...]
FAR = 2**62
"""Larger numbers of groups and moments together could not be told apart."""


class Column(NamedTuple):
    """What hits say, in the order in which they came."""

    ats: Ints
    seqs: Ints
    awaited: Ints
    groups: Sequence[Group]


class Crowd(NamedTuple):
    """A window with enough hits. place: of the hit with which it was complete."""

    place: int
    first: int
    last: int
    counted: int
    seqs: tuple[int, ...]


class Bulk:
    """Hits, after those that are remembered, by group and time.

    span: of a window. kept: for how long hits are remembered after what is awaited.
    """

    def __init__(self, hits: Column, state: Counts, span: int, kept: int) -> None:
        self._hits, self._state, self._span = hits, state, span
        self._before = int(hits.awaited.max()) - kept
        self._old = list(chain.from_iterable(state.groups.values()))
        known = [tuple(orjson.loads(key)) for key in state.groups]
        self._groups = list(dict.fromkeys(chain(hits.groups, known)))
        codes = {group: number for number, group in enumerate(self._groups)}
        new, old = (list(map(codes.__getitem__, groups)) for groups in (hits.groups, known))
        sizes = [len(of_group) for of_group in state.groups.values()]
        old_codes = np.repeat(np.array(old, np.int64), np.array(sizes, np.int64))
        self._codes = np.concatenate([old_codes, np.array(new, np.int64)])
        self._ats = np.concatenate([_of(self._old, 0), hits.ats])
        self._seqs = np.concatenate([_of(self._old, 1), hits.seqs])
        self._order = np.argsort(self._codes, kind="stable")
        width = int(self._ats.max() - self._ats.min()) + kept + span + 2
        self.is_exact = self._is_exact(kept, width)
        self._places = self._codes[self._order] * width + self._ats[self._order]

    def _is_exact(self, kept: int, width: int) -> bool:
        """Return whether this comes to what looking at each hit does."""
        hits, olds = self._hits, len(self._old)
        in_time = bool((np.diff(hits.ats) >= 0).all() and (np.diff(hits.seqs) > 0).all())
        if olds and in_time:
            ats, seqs = self._ats[:olds], self._seqs[:olds]
            in_time = ats.max() <= hits.ats[0] and seqs.max() < hits.seqs[0]
        most = len(self._ats)
        if most > MAX_ALL:
            since = np.searchsorted(np.sort(self._ats), hits.awaited - kept)
            most = int((np.arange(olds, most) - since).max()) + 1
        largest = int(np.bincount(self._codes).max())
        fits = most <= MAX_ALL and largest <= MAX_KEPT and width * len(self._groups) < FAR
        return in_time and fits

    def crowds(self, least: int, most_told: int) -> Iterator[Crowd]:
        """Yield the windows with at least so many hits, in the order in which that was so."""
        starts = np.searchsorted(self._places, self._places - self._span)
        counts = np.arange(len(starts)) - starts + 1
        enough = ((counts >= least) & (self._order >= len(self._old))).nonzero()[0]
        half = most_told // 2
        for end in enough[np.argsort(self._order[enough])].tolist():
            inside = self._order[starts[end] : end + 1]
            told = inside if len(inside) <= most_told else np.r_[inside[:half], inside[-half:]]
            yield Crowd(
                int(self._order[end]) - len(self._old),
                int(self._ats[inside[0]]),
                int(self._ats[inside[-1]]),
                int(counts[end]),
                tuple(self._seqs[told].tolist()),
            )

    def counts(self) -> Counts:
        """Return what to remember."""
        live = self._order[self._ats[self._order] >= self._before]
        codes, olds = self._codes[live], len(self._old)
        ends = np.flatnonzero(np.diff(codes, append=-1)) + 1
        ats, seqs = self._ats[live].tolist(), self._seqs[live].tolist()
        made = [
            self._old[index] if index < olds else Kept(at, seq, "")
            for index, at, seq in zip(live.tolist(), ats, seqs, strict=True)
        ]
        groups, begin = {}, 0
        for end in ends.tolist():
            key = orjson.dumps(self._groups[codes[begin]]).decode()
            groups[key] = tuple(made[begin:end])
            begin = end
        state = self._state
        return Counts.model_construct(
            groups=dict(sorted(groups.items())),
            lost={key: at for key, at in state.lost.items() if key in groups},
            passed=state.passed,
            too_late=state.too_late,
            left_out=state.left_out,
        )


def _of(kept: Sequence[Kept], field: int) -> Ints:
    return np.fromiter(map(itemgetter(field), kept), np.int64, len(kept))
