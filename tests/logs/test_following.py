"""All shards are followed as one stream, in the order of intake, and none of them is left behind."""

from datetime import timedelta
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.ingest.parse import Intake
from soc.ingest.parsers.ecs import Ecs
from soc.logs.following import following, newest
from soc.logs.memory import MemoryLog
from soc.model.event import Batch, assign
from soc.model.shard import Marks, between, first_of, shard_of
from soc.model.value import EPOCH

T0 = EPOCH + timedelta(days=20_000)
INTAKE = Intake({"ecs": Ecs()})


class Shards:
    """Stores that give numbers of one shard each, read as one."""

    def __init__(self, shards: dict[int, list[int]]) -> None:
        """Let each shard take in events at these seconds."""
        self.logs = {shard: MemoryLog() for shard in shards}
        for shard, seconds in shards.items():
            for second in seconds:
                self.put(shard, second)

    def put(self, shard: int, second: int) -> None:
        line = orjson.dumps({"@timestamp": T0.isoformat(), "event": {"dataset": "d"}})
        table = INTAKE.table([line], [None], T0 + timedelta(seconds=second))
        self.logs[shard].append(assign(table, ["src"], ["default"]))

    def upto(self) -> dict[int, int]:
        return {s: first_of(s) + log.scan(0, 9_999).upto for s, log in self.logs.items()}

    def scan(self, after: int, limit: int) -> Batch:
        base = first_of(shard_of(after))
        batch = self.logs[shard_of(after)].scan(after - base, limit)
        numbers = pa.array([base + seq for seq in batch.column("seq")], pa.int64())
        return Batch(batch.table.set_column(0, "seq", numbers), base + batch.upto)


def followed(reader: Any, limit: int, upto: Marks | None = None) -> list[list[int]]:
    """Return the numbers of one batch after the other, until there is nothing more."""
    marks: Marks = {}
    batches, more = [], True
    while more:
        found = following(reader, marks, limit, upto)
        assert between(marks, found.marks) or not found.more
        batches.append(found.batch.column("seq"))
        marks, more = found.marks, found.more
    return batches


@given(st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=9), max_size=4))
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_every_event_comes_once_and_each_shard_in_its_order(
    limit: int, seconds: dict[int, list[int]]
) -> None:
    reader = Shards(seconds)

    seqs = [seq for batch in followed(reader, limit) for seq in batch]

    for shard, given_ in seconds.items():
        mine = [seq for seq in seqs if shard_of(seq) == shard]
        assert mine == [first_of(shard) + n for n in range(1, len(given_) + 1)]
    assert len(seqs) == sum(map(len, seconds.values()))


def test_a_shard_with_much_to_catch_up_with_holds_others_at_its_moment_of_intake() -> None:
    reader = Shards({0: list(range(12)), 1: [1, 5, 11]})
    one = first_of(1)

    batches = followed(reader, 8)

    assert batches[0] == [1, 2, one + 1, 3, 4]
    assert batches[1] == [5, 6, one + 2, 7, 8]
    assert sum(map(len, batches)) == 15


def test_it_stops_where_it_is_told_to_in_each_shard() -> None:
    reader = Shards({0: [0, 1, 2], 3: [0, 1, 2]})
    three = first_of(3)

    assert followed(reader, 100, {0: 2, 3: three + 1}) == [[1, three + 1, 2]]
    assert followed(reader, 100, {}) == [[]]


def test_what_comes_later_is_found_after_the_marks() -> None:
    reader: Any = Shards({0: [0], 1: [0]})
    marks = following(reader, {}, 100).marks
    reader.put(1, 5)

    found = following(reader, marks, 100)

    assert found.batch.column("seq") == [first_of(1) + 2]
    assert following(reader, found.marks, 100).marks == found.marks


def test_the_newest_events_are_asked_of_each_shard() -> None:
    upto = {0: 100, 2: first_of(2) + 3}

    assert newest(upto, 20) == {0: 90, 2: first_of(2)}
    assert newest({}, 20) == {}
