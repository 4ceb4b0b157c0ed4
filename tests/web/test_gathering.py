"""Requests that wait are served as one batch, and each learns what became of its own."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from soc.errors import LogError, Refused, SocError
from soc.web.gathering import Gathering


class Slow:
    """Doubles numbers, the first time only when told to; remembers what came together."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def work(self, numbers: Sequence[int]) -> list[int | SocError]:
        self.groups.append(list(numbers))
        self.begun.set()
        self.go.wait(10)
        if 77 in numbers:
            raise LogError("the disk is full")
        return [Refused("unlucky") if number == 13 else number * 2 for number in numbers]


async def play(slow: Slow, most: int, later: Sequence[int]) -> list[int | BaseException]:
    """Submit 1, and *later* while that is under way; return what each became."""
    gathering = Gathering(slow.work, lambda number: number, most)
    asked = [asyncio.create_task(gathering.submit(number)) for number in (1, *later)]
    while len(gathering._waiting) < len(later):  # noqa: ASYNC110 - it has nothing to wait for
        await asyncio.sleep(0)
    slow.go.set()
    return await asyncio.gather(*asked, return_exceptions=True)


def test_who_comes_while_a_batch_is_under_way_is_in_the_next() -> None:
    slow = Slow()

    found = asyncio.run(play(slow, 100, [2, 3, 4]))

    assert found == [2, 4, 6, 8]
    assert slow.groups == [[1], [2, 3, 4]]


def test_no_batch_weighs_more_than_it_may_unless_one_alone_does() -> None:
    slow = Slow()

    found = asyncio.run(play(slow, 10, [4, 5, 20, 3]))

    assert found == [2, 8, 10, 40, 6]
    assert slow.groups == [[1], [4, 5], [20], [3]]


def test_what_is_wrong_with_one_is_told_to_that_one() -> None:
    found = asyncio.run(play(Slow(), 100, [2, 13, 4]))

    assert [str(one) for one in found] == ["2", "4", "unlucky", "8"]


def test_a_batch_that_fails_is_told_to_all_of_it_and_the_next_goes_on() -> None:
    found = asyncio.run(play(Slow(), 100, [2, 77, 50]))

    assert [str(one) for one in found] == ["2", "the disk is full", "the disk is full", "100"]


def test_who_gave_up_spoils_it_for_nobody() -> None:
    slow = Slow()

    async def leave() -> tuple[int, bool]:
        gathering = Gathering(slow.work, lambda number: number, 100)
        gone = asyncio.create_task(gathering.submit(1))
        stays = asyncio.create_task(gathering.submit(2))
        await asyncio.to_thread(slow.begun.wait, 10)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        slow.go.set()
        return await stays, gone.cancelled()

    assert asyncio.run(leave()) == (4, True)


async def again(slow: Slow) -> None:
    """Submit 1, and 2 to 4 meanwhile; 5 only when 1 is done, and 6 when all are."""
    gathering = Gathering(slow.work, lambda number: number, 100)
    first = asyncio.create_task(gathering.submit(1))
    more = [asyncio.create_task(gathering.submit(number)) for number in (2, 3, 4)]
    await asyncio.to_thread(slow.begun.wait, 10)
    slow.go.set()
    await first
    await asyncio.gather(*more, gathering.submit(5))
    await gathering.submit(6)


def test_as_many_as_came_lately_are_awaited_but_not_for_long() -> None:
    slow = Slow()

    asyncio.run(asyncio.wait_for(again(slow), 10))

    assert slow.groups == [[1], [2, 3, 4, 5], [6]]
