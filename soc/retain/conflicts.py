"""Where a policy contradicts itself, or forgets something: each is a rule with a code.

POL-00 every sentence is carried out by exactly one class, and every class has its own name.
POL-01 a life is measured once: cold storage has an end.
POL-02 a minimum and a maximum leave room for a sweep and for the day that a segment holds.
POL-03 a monthly archive cannot serve a class that is over before it comes round.
POL-04 every event has exactly one class: the special ones are asked first, the last takes the rest,
and failed transactions are gone before anything of their age is archived.
POL-05 what is kept without a date needs a legal basis and a review.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from soc.retain.policy import DataClass, Policy, Selector, Sentence

DAY = timedelta(days=1)
REJECTS = "rejects"
Place = tuple[int | str, ...]


class Conflict(NamedTuple):
    """One contradiction: its code, where it is, and what to write instead."""

    code: str
    place: Place
    words: str


def conflicts(policy: Policy) -> Iterator[Conflict]:
    """Yield every contradiction in *policy*."""
    yield from _coverage(policy)
    for index, one in enumerate(policy.classes):
        yield from _life(one, ("classes", index), policy)
    yield from _partition(policy)
    yield from _failed(policy)


def _coverage(policy: Policy) -> Iterator[Conflict]:
    ids = Counter(one.id for one in policy.classes)
    covered = Counter(sentence for one in policy.classes for sentence in one.covers)
    for index, one in enumerate(policy.classes):
        place = ("classes", index)
        if ids[one.id] > 1:
            yield Conflict("POL-00", (*place, "id"), f"class {one.id} is here twice")
        for at, sentence in enumerate(one.covers):
            if covered[sentence] > 1:
                words = f"{sentence} is covered {covered[sentence]} times: choose one class"
                yield Conflict("POL-00", (*place, "covers", at), words)
    for sentence in Sentence:
        if not covered[sentence]:
            yield Conflict("POL-00", ("classes",), f"no class covers {sentence}")
    if REJECTS not in ids:
        words = f"no class {REJECTS!r}: what no parser takes is kept too, say how long"
        yield Conflict("POL-00", ("classes",), words)


def _life(one: DataClass, at: Place, policy: Policy) -> Iterator[Conflict]:
    least, most, archive = one.keep_at_least, one.delete_no_later_than, one.archive_after
    if least is not None and most is not None and most - least < policy.sweep_every + DAY:
        words = f"{one.id}: leave the interval of the sweep and a day between minimum and maximum"
        yield Conflict("POL-02", (*at, "delete_no_later_than"), words)
    if archive is not None and (least is None or archive >= least):
        words = f"{one.id}: archive before the life ends; cold storage is no second life"
        yield Conflict("POL-01", (*at, "archive_after"), words)
    elif archive is not None and most is not None and archive + policy.archive_every > most:
        words = f"{one.id}: its life is over before the archive comes round"
        yield Conflict("POL-03", (*at, "archive_after"), words)
    if one.keep_until and not (one.legal_basis and one.review_every):
        words = f"{one.id}: without a date it needs legal_basis and review_every"
        yield Conflict("POL-05", (*at, "keep_until"), words)


def _partition(policy: Policy) -> Iterator[Conflict]:
    seen: list[tuple[str, Selector]] = []
    for index, one in enumerate(policy.classes):
        for at, selector in enumerate(one.selects):
            over = next((name for name, earlier in seen if covers(earlier, selector)), None)
            if over:
                words = f"{one.id}: {over} before it leaves nothing: put this first"
                yield Conflict("POL-04", ("classes", index, "selects", at), words)
        seen += [(one.id, selector) for selector in one.selects]
    if not seen or seen[-1][1] != Selector():
        words = "the last class that selects must take the rest: write selects: [{}]"
        yield Conflict("POL-04", ("classes",), words)


def _failed(policy: Policy) -> Iterator[Conflict]:
    archived = [one.archive_after for one in policy.classes if one.archive_after is not None]
    for index, one in enumerate(policy.classes):
        if Sentence.P15 not in one.covers:
            continue
        most = one.delete_no_later_than
        if one.archive_after or most is None or any(most >= age for age in archived):
            words = f"{one.id}: failed transactions are gone before anything is archived"
            yield Conflict("POL-04", ("classes", index), words)


def covers(general: Selector, special: Selector) -> bool:
    """Return whether *general* takes everything that *special* takes."""
    return (
        _datasets_cover(general.datasets, special.datasets)
        and _values_cover(general.actions, special.actions)
        and _values_cover(general.outcomes, special.outcomes)
        and all(
            _values_cover(values, special.where.get(name, ()))
            for name, values in general.where.items()
        )
    )


def _values_cover(general: tuple[str, ...], special: tuple[str, ...]) -> bool:
    return not general or (bool(special) and set(special) <= set(general))


def _datasets_cover(general: tuple[str, ...], special: tuple[str, ...]) -> bool:
    if not general:
        return True
    return bool(special) and all(
        any(name == pattern or _begins(name, pattern) for pattern in general) for name in special
    )


def _begins(name: str, pattern: str) -> bool:
    return pattern.endswith(".*") and name.startswith(pattern[:-1])
