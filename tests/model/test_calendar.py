"""The arithmetic of calendars is what one gets by looking at a clock on the wall, each minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from soc.model.calendar import DAYS, Calendar, Span, counted, due, latest_start

MINUTE = timedelta(minutes=1)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Havana",
)
CHANGES = (
    date(2026, 3, 7),
    date(2026, 3, 28),
    date(2026, 10, 24),
    date(2026, 10, 31),
    date(2026, 4, 4),
    date(2026, 7, 1),
)
"""Days just before clocks are changed somewhere, and one before nothing happens."""


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def hours(draw: st.DrawFn) -> tuple[str, ...]:
    cuts = sorted(draw(st.sets(st.integers(0, 24 * 4), min_size=2, max_size=4)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return tuple(f"{clock(first * 15)}-{clock(last * 15)}" for first, last in pairs)


CALENDARS = st.builds(
    Calendar,
    zone=st.sampled_from(ZONES),
    hours=st.one_of(st.just({}), st.dictionaries(st.sampled_from(DAYS), hours(), min_size=2)),
    holidays=st.sets(st.sampled_from(CHANGES), max_size=2).map(tuple),
)
STARTS = st.builds(
    lambda day, minute: datetime(day.year, day.month, day.day, tzinfo=UTC) + minute * MINUTE,
    st.sampled_from(CHANGES),
    st.integers(0, 36 * 60),
)
PAUSES = st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 900)), max_size=3)


def on_the_wall(calendar: Calendar, moment: datetime) -> bool:
    """Look at a clock in the zone."""
    local = moment.astimezone(ZoneInfo(calendar.zone))
    if local.date() in calendar.holidays:
        return False
    if not calendar.hours:
        return True
    now = f"{local:%H:%M}"
    spans = calendar.hours.get(DAYS[local.weekday()], ())
    return any(span[:5] <= now < span[6:] for span in spans)


def minutes(calendar: Calendar, since: datetime, number: int, pauses: list[Span]) -> list[bool]:
    """Say of each minute whether it counts."""
    each = [since + n * MINUTE for n in range(number)]
    return [
        on_the_wall(calendar, one) and not any(p.begin <= one < p.end for p in pauses)
        for one in each
    ]


def spans(since: datetime, pauses: list[tuple[int, int]]) -> list[Span]:
    return [Span(since + b * MINUTE, since + (b + n) * MINUTE) for b, n in pauses]


@settings(max_examples=60)
@given(CALENDARS, STARTS, st.integers(0, 3_500), PAUSES)
def test_what_counts_is_the_sum_of_its_minutes(
    calendar: Calendar, since: datetime, number: int, rests: list[tuple[int, int]]
) -> None:
    pauses = spans(since, rests)

    told = counted(calendar, since, since + number * MINUTE, pauses)

    assert told == sum(minutes(calendar, since, number, pauses)) * MINUTE


@settings(max_examples=60)
@given(CALENDARS, STARTS, st.integers(1, 1_500), PAUSES)
def test_due_is_the_minute_after_the_last_that_was_needed(
    calendar: Calendar, since: datetime, budget: int, rests: list[tuple[int, int]]
) -> None:
    pauses, far = spans(since, rests), 5 * 24 * 60
    each = minutes(calendar, since, far, pauses)
    counting = [n for n, counts in enumerate(each) if counts]
    wanted = since + (counting[budget - 1] + 1) * MINUTE if len(counting) >= budget else None

    told = due(calendar, since, budget * MINUTE, pauses)

    assert told == wanted if wanted else told is None or told > since + far * MINUTE


@settings(max_examples=60)
@given(CALENDARS, STARTS, st.integers(1, 900), st.integers(-3_000, 3_000))
def test_what_began_at_the_latest_start_or_before_is_due_and_nothing_later(
    calendar: Calendar, until: datetime, budget: int, offset: int
) -> None:
    start = latest_start(calendar, until, budget * MINUTE)
    assert start is not None

    for since in (start, start + MINUTE, start + offset * MINUTE):
        ends = due(calendar, since, budget * MINUTE)
        assert (ends is not None and ends <= until) is (since <= start)


@pytest.mark.parametrize(
    ("day", "hours_", "minutes_"),
    [
        pytest.param("2026-03-29", "01:00-04:00", 120, id="an hour is skipped"),
        pytest.param("2026-03-29", "02:00-03:00", 0, id="only the hour that is skipped"),
        pytest.param("2026-10-25", "01:00-04:00", 240, id="an hour comes twice"),
        pytest.param("2026-10-25", "02:30-02:45", 30, id="a quarter of it comes twice"),
        pytest.param("2026-10-26", "00:00-24:00", 1_440, id="a day like any other"),
    ],
)
def test_days_on_which_clocks_are_changed(day: str, hours_: str, minutes_: int) -> None:
    begin = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(hours=3)
    calendar = Calendar(
        zone="Europe/Berlin",
        hours={DAYS[date.fromisoformat(day).weekday()]: (hours_,)},
    )

    assert counted(calendar, begin, begin + timedelta(hours=30)) == minutes_ * MINUTE


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hours": {"mon": ("09:00-08:00",)}}, "ends before it begins"),
        ({"hours": {"mon": ("9-17",)}}, "such as 09:00-17:00"),
        ({"hours": {"mon": ("09:00-12:00", "11:00-13:00")}}, "two of its hours overlap"),
        ({"zone": "Berlin"}, "no time zone 'Berlin'"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Calendar(**wrong)


def test_a_calendar_that_never_runs_makes_nothing_due() -> None:
    never = Calendar(hours={"mon": ()})
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert due(never, noon, MINUTE) is None
    assert latest_start(never, noon, MINUTE) is None
    assert counted(never, noon, noon + timedelta(days=3)) == timedelta(0)
