"""Answers that take long are made once, beside, and shown again for a time."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import pytest

from soc.app.later import Later
from soc.clock import SettableClock
from soc.errors import Busy, Refused
from tests.conftest import NOON

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOON)


def counting() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def test_one_answer_is_for_all_until_it_is_old_or_about_something_else(
    clock: SettableClock,
) -> None:
    numbers = counting()
    later = Later("numbers", lambda: next(numbers), clock, MINUTE)

    first, again, other = later.ask(20, "a"), later.ask(20, "a"), later.ask(20, "b")
    clock.moment = NOON + 2 * MINUTE
    newer = later.ask(20, "b")

    assert [one.answer for one in (first, again, other, newer)] == [1, 1, 2, 3]
    assert (newer.at, newer.about) == (NOON + 2 * MINUTE, "b")


def test_who_cannot_wait_gets_the_answer_before_or_is_told_to_come_again(
    clock: SettableClock,
) -> None:
    gate, numbers = Event(), counting()

    def make() -> int:
        gate.wait(20)
        return next(numbers)

    later = Later("numbers", make, clock, MINUTE)
    with pytest.raises(Busy, match="numbers are being read"):
        later.ask(0)
    gate.set()
    assert later.ask(20).answer == 1
    gate.clear()

    before = later.ask(0, "other")
    gate.set()

    assert (before.answer, later.ask(20, "other").answer) == (1, 2)


def test_what_cannot_be_made_is_told_and_tried_again(clock: SettableClock) -> None:
    tries = counting()

    def make() -> int:
        if (number := next(tries)) == 1:
            raise Refused("the disk is away")
        return number

    later = Later("numbers", make, clock, MINUTE)

    with pytest.raises(Refused, match="the disk is away"):
        later.ask(20)
    assert later.ask(20).answer == 2
