"""Numbers of events say their shard, and fit what browsers keep whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.model.shard import (
    COUNTED,
    SHARDS,
    between,
    events_of,
    first_of,
    mark_of,
    marks_of,
    shard_of,
    text_of,
)

shards = st.integers(0, SHARDS - 1)
counts = st.integers(0, 2**COUNTED - 1)


@given(shards, counts)
def test_a_number_says_its_shard_and_is_whole_in_every_browser(shard: int, count: int) -> None:
    number = first_of(shard) + count

    assert shard_of(number) == shard
    assert float(number) == number <= 2**53 - 1


def test_the_numbers_of_the_first_shard_are_the_counts() -> None:
    assert first_of(0) == 0
    assert [shard_of(number) for number in (0, 1, 2**COUNTED - 1)] == [0, 0, 0]


@given(st.dictionaries(shards, counts))
def test_the_same_marks_are_the_same_text(counted: dict[int, int]) -> None:
    marks = {shard: first_of(shard) + count for shard, count in counted.items()}
    backwards = dict(reversed(marks.items()))

    assert text_of(marks) == text_of(backwards)
    assert text_of(marks_of(text_of(marks))) == text_of(marks)
    assert events_of(marks) == between({}, marks) == sum(counted.values())
    assert all(mark_of(marks_of(text_of(marks)), shard) == n for shard, n in marks.items())


@pytest.mark.parametrize(
    ("marks", "text"), [({}, "{}"), ({0: 0, 3: first_of(3)}, "{}"), ({0: 7}, '{"0":7}')]
)
def test_shards_that_were_not_begun_are_not_written(marks: dict[int, int], text: str) -> None:
    assert text_of(marks) == text


def test_what_another_worker_has_read_already_is_not_behind() -> None:
    one = first_of(1)

    assert between({0: 9, 1: one + 2}, {0: 5, 1: one + 3}) == 1
