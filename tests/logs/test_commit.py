"""What waits is written together, and everybody learns what became of their own."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from soc.errors import LogError
from soc.logs.commit import Commit
from soc.logs.port import Appended


class Slow:
    """Writes numbers, the first time only when told to; remembers what came together."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun, self.go = Event(), Event()

    def write(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        self.begun.set()
        self.go.wait(10)
        if 13 in numbers:
            raise LogError("the disk is full")
        return [number * 2 for number in numbers]


def play(slow: Slow, commit: Commit[int, int], later: list[int]) -> list[object]:
    """Submit 1, and *later* while it is being written; return what each became."""

    def submit(number: int) -> object:
        try:
            return commit.submit(number)
        except LogError as failed:
            return str(failed)

    started = Barrier(len(later) + 1)

    def wait_and_submit(number: int) -> object:
        started.wait(10)
        return submit(number)

    with ThreadPoolExecutor(len(later) + 1) as pool:
        first = pool.submit(submit, 1)
        slow.begun.wait(10)
        others = [pool.submit(wait_and_submit, number) for number in later]
        started.wait(10)
        while len(commit._waiting) < len(later):
            pass
        slow.go.set()
        return [first.result(10), *(other.result(10) for other in others)]


def test_who_comes_while_one_writes_is_written_together() -> None:
    slow = Slow()

    found = play(slow, Commit(slow.write), [2, 3, 4])

    assert found == [2, 4, 6, 8]
    assert sorted(map(sorted, slow.groups)) == [[1], [2, 3, 4]]


def test_a_write_that_fails_is_told_to_all_who_were_part_of_it() -> None:
    slow = Slow()

    found = play(slow, Commit(slow.write), [2, 13])

    assert found == [2, "the disk is full", "the disk is full"]


@pytest.mark.parametrize(
    ("kept", "rejects", "sizes", "parts"),
    [
        ((True, True, True), [False, True, False], [2, 1], [(7, 8, 1), (9, 9, 0)]),
        ((False, True, False), [False, False, True], [1, 2], [(None, None, 0), (7, 7, 0)]),
        ((False, False), [True, False], [1, 1], [(None, None, 0), (None, None, 0)]),
        ((True,), [True], [0, 1], [(None, None, 0), (7, 7, 1)]),
    ],
    ids=["all new", "some known", "all known", "an empty part"],
)
def test_a_batch_is_split_into_what_each_part_became(
    kept: tuple[bool, ...], rejects: list[bool], sizes: list[int], parts: list[tuple[object, ...]]
) -> None:
    new = kept.count(True)
    whole = Appended(7 if new else None, 6 + new if new else None, kept, 0)

    found = whole.split(sizes, rejects)

    assert [(one.first, one.last, one.rejected) for one in found] == parts
    assert [len(one.kept) for one in found] == sizes
