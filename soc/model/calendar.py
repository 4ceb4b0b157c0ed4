"""When clocks run: hours of a week in a zone, and days off. All of it is arithmetic.

A minute counts if a clock on the wall of the zone shows it within the hours of its day: an hour
that is skipped in spring never counts, one that comes twice in autumn counts twice.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import count, pairwise
from typing import Annotated, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, field_validator

from soc.model.value import Value

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
ONE_DAY = timedelta(days=1)
NOTHING = timedelta(0)
NEAR = timedelta(hours=3)
"""No zone changes its offset by more at once."""
FARTHEST = 3_660
"""Days that are looked at: a clock that needs more never ends."""


class Span(NamedTuple):
    """A time from *begin* on, before *end*."""

    begin: datetime
    end: datetime


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError) as unknown:
        raise ValueError(f"no time zone {name!r}: write one such as Europe/Berlin") from unknown


def _hours(text: str) -> str:
    if not (found := HOURS.fullmatch(text)):
        raise ValueError("write hours of a day, such as 09:00-17:00")
    begin, end = minutes_of(text)
    if begin >= end:
        raise ValueError(f"{found[0]} ends before it begins: write two, up to 24:00 and from 00:00")
    return text


def minutes_of(hours: str) -> tuple[int, int]:
    """Return the first minute of a day that *hours* hold, and the first after them."""
    first, last = (part.split(":") for part in hours.split("-"))
    return int(first[0]) * 60 + int(first[1]), int(last[0]) * 60 + int(last[1])


Hours = Annotated[str, AfterValidator(_hours)]


class Calendar(Value):
    """When clocks run. Without hours always, but on holidays.

    zone: of hours and holidays, through summer and winter. hours: per day, such as
    ``mon: [09:00-12:00, 13:00-17:00]``; a day that is not named is off. holidays: days off.
    """

    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    hours: Mapping[Day, tuple[Hours, ...]] = {}
    holidays: tuple[date, ...] = ()

    @field_validator("hours")
    @classmethod
    def _must_not_overlap(
        cls, hours: Mapping[Day, tuple[str, ...]]
    ) -> Mapping[Day, tuple[str, ...]]:
        for day, held in hours.items():
            spans = sorted(map(minutes_of, held))
            if any(first[1] > second[0] for first, second in pairwise(spans)):
                raise ValueError(f"{day}: two of its hours overlap")
        return hours

    @property
    def is_always(self) -> bool:
        """Return whether clocks never stand still."""
        return not self.hours and not self.holidays


def counted(
    calendar: Calendar, since: datetime, until: datetime, pauses: Sequence[Span] = ()
) -> timedelta:
    """Return how much of the time from *since* to *until* counts; *pauses* do not."""
    if until <= since:
        return NOTHING
    whole = _clipped(calendar, since, until)
    return sum((end - begin for begin, end in _without(whole, pauses)), NOTHING)


def due(
    calendar: Calendar, since: datetime, budget: timedelta, pauses: Sequence[Span] = ()
) -> datetime | None:
    """Return the first moment by which *budget* was counted from *since* on; None for never."""
    left = budget
    for begin, end in _without(_onwards(calendar, since), pauses):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    return None


def latest_start(calendar: Calendar, until: datetime, budget: timedelta) -> datetime | None:
    """Return the last moment from which *budget* is counted by *until*; None if there is none.

    Whatever began at it or before is due by *until*, and nothing that began later is.
    """
    left = budget
    for begin, end in _backwards(calendar, until):
        if end - begin >= left:
            return end - left
        left -= end - begin
    return None


def _clipped(calendar: Calendar, since: datetime, until: datetime) -> Iterator[Span]:
    for begin, end in _onwards(calendar, since):
        if begin >= until:
            return
        yield Span(begin, min(end, until))


def _onwards(calendar: Calendar, since: datetime) -> Iterator[Span]:
    if calendar.is_always:
        yield Span(since, since + FARTHEST * ONE_DAY)
        return
    first = since.astimezone(ZoneInfo(calendar.zone)).date() - ONE_DAY
    for number in range(FARTHEST):
        for begin, end in spans_of(calendar, first + number * ONE_DAY):
            if end > since:
                yield Span(max(begin, since), end)


def _backwards(calendar: Calendar, until: datetime) -> Iterator[Span]:
    if calendar.is_always:
        yield Span(until - FARTHEST * ONE_DAY, until)
        return
    last = until.astimezone(ZoneInfo(calendar.zone)).date() + ONE_DAY
    for number in range(FARTHEST):
        for begin, end in reversed(spans_of(calendar, last - number * ONE_DAY)):
            if begin < until:
                yield Span(begin, min(end, until))


def _without(spans: Iterator[Span], pauses: Sequence[Span]) -> Iterator[Span]:
    """Yield *spans* without what *pauses* hold; both in their order."""
    ordered = sorted(pauses)
    for begin, end in spans:
        at = begin
        for pause in ordered:
            if pause.end <= at or pause.begin >= end:
                continue
            if pause.begin > at:
                yield Span(at, pause.begin)
            at = max(at, pause.end)
        if at < end:
            yield Span(at, end)


def spans_of(calendar: Calendar, day: date) -> Sequence[Span]:
    """Return when clocks run on *day* of the zone, in UTC and in order."""
    if day in calendar.holidays:
        return ()
    hours = calendar.hours.get(DAYS[day.weekday()], ()) if calendar.hours else ("00:00-24:00",)
    return _of_day(calendar.zone, hours, day)


@lru_cache(maxsize=8_192)
def _of_day(name: str, hours: tuple[str, ...], day: date) -> tuple[Span, ...]:
    zone, midnight = ZoneInfo(name), datetime(day.year, day.month, day.day, tzinfo=UTC)
    early = midnight - _offset(midnight, zone) - NEAR
    late = early + ONE_DAY + 2 * NEAR
    before, after = _offset(early, zone), _offset(late, zone)
    change = late if before == after else _change(early, late, zone)
    found = []
    for first, last in sorted(map(minutes_of, hours)):
        begin, end = (midnight + timedelta(minutes=minute) for minute in (first, last))
        found.append(Span(begin - before, min(end - before, change)))
        found.append(Span(max(begin - after, change), end - after))
    return tuple(sorted(span for span in found if span.begin < span.end))


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or NOTHING


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second after *low* at which the zone has the offset of *high*."""
    before = _offset(low, zone)
    for _ in count():
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        if middle <= low:
            break
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high
