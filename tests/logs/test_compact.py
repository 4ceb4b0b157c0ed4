"""Small segments are joined, nothing is lost by it, and nobody has to wait for it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from soc.clock import SettableClock
from soc.errors import LogError
from soc.logs import compact
from soc.logs.chain import Chain, Segment, State
from soc.logs.embedded import EmbeddedLog
from soc.logs.promote import Promotion
from soc.model.event import REJECTS, Reject, Row, to_table
from soc.model.value import EPOCH
from soc.settings import Logs


@pytest.fixture
def log(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(tmp_path / "events", Logs(), clock)
    yield log
    log.close()


def add(log: EmbeddedLog, clock: SettableClock, count: int, data_class: str = "default") -> None:
    reject = data_class == REJECTS
    rows: list[Row | Reject] = [
        Reject("?", "no") if reject else Row(clock.now(), f'{{"n":{n}}}', "ecs", event_id=None)
        for n in range(count)
    ]
    log.append(to_table(rows, "src", clock.now(), [data_class] * count))
    log.seal()


def test_a_day_that_is_over_becomes_one_file_for_each_class(
    log: EmbeddedLog, clock: SettableClock
) -> None:
    for _ in range(3):
        for data_class in ("default", "audit", REJECTS):
            add(log, clock, 2, data_class)
    before = log.scan(0, 100).table
    log.compact()
    assert len(log.reader.view().segments) == 9

    clock.moment += timedelta(days=1)
    log.compact()

    segments = log.reader.view().segments
    assert sorted(s.data_class for s in segments) == ["audit", "default", REJECTS]
    assert log.scan(0, 100).table.equals(before)
    assert len(log.reader.rejects()) == 6
    assert len(list(log.reader.files.root.rglob("*.parquet"))) == 3
    assert log.reader.files.damaged(segments) == []


def test_many_small_segments_of_today_are_joined_already(
    log: EmbeddedLog, clock: SettableClock
) -> None:
    for _ in range(compact.MANY):
        add(log, clock, 1)

    log.compact()

    (segment,) = log.reader.view().segments
    assert (segment.first, segment.last) == (1, compact.MANY)
    assert log.scan(0, 1_000).column("seq") == list(range(1, compact.MANY + 1))


def segment(number: int, rows: int = 1) -> Segment:
    return Segment(
        path=f"{number}.parquet", data_class="default", day=EPOCH.date(), rows=rows, first=number,
        last=number, min_ts=EPOCH, max_ts=EPOCH, sha256="", bytes=1,
    )  # fmt: skip


@pytest.mark.parametrize("days", [0, 1], ids=["today", "a day that is over"])
def test_very_many_are_joined_in_parts_so_that_short_lives_suffice(days: int) -> None:
    today = EPOCH.date() + timedelta(days=days)
    live = [segment(1, compact.LARGE), *map(segment, range(2, 1_000))]
    joined = []

    while (
        job := compact.next_job(State(tuple(live), frozenset(), 1_000), today, Promotion())
    ) and (len(live) > compact.AT_ONCE):
        begin = live.index(job.segments[0])
        assert live[begin : begin + len(job.segments)] == list(job.segments)
        live[begin : begin + len(job.segments)] = [segment(job.segments[0].first, 1 + begin)]
        joined.append(len(job.segments))

    assert joined == [compact.AT_ONCE] * 3
    assert live[0].rows == compact.LARGE


def test_closing_does_not_wait_for_a_long_compaction(
    log: EmbeddedLog, clock: SettableClock
) -> None:
    for _ in range(3):
        add(log, clock, 2)
    job = compact.Job(log.reader.view().segments)
    chain = Chain(log.reader.root / "chain")
    closing = Event()

    def go_on() -> None:
        if closing.is_set():
            raise LogError("the store is being closed")
        closing.set()

    with pytest.raises(LogError, match="being closed"):
        compact.run(job, log.reader.files, chain, Promotion(), clock, go_on)

    assert len(log.reader.view().segments) == 3
    assert log.scan(0, 100).column("seq") == list(range(1, 7))


def test_what_was_replaced_meanwhile_is_not_replaced_again(
    log: EmbeddedLog, clock: SettableClock
) -> None:
    for _ in range(2):
        add(log, clock, 2)
    old = log.reader.view().segments
    clock.moment += timedelta(days=1)
    log.compact()

    with pytest.raises(LogError, match="was replaced meanwhile"):
        Chain(log.reader.root / "chain").append("compact", clock.now(), (), old)
