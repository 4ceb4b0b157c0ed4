"""What is broken is told, and kept; what was acknowledged is never thrown away."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from soc.clock import SettableClock
from soc.errors import Damaged, Held, LogError
from soc.logs import query
from soc.logs.embedded import EmbeddedLog
from soc.logs.filter import parse
from soc.logs.port import Search
from soc.logs.reader import LogReader
from soc.model.event import REJECTS, Reject, Row, to_table
from soc.settings import Logs

Add = Callable[[EmbeddedLog, int], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "events"


@pytest.fixture
def add(clock: SettableClock) -> Add:
    def add(log: EmbeddedLog, count: int) -> None:
        rows = [Row(clock.now(), "{}", "ecs") for _ in range(count)]
        log.append(to_table(rows, "src", clock.now(), ["default"] * count))

    return add


def test_a_damaged_frame_before_whole_ones_stops_the_start(
    root: Path, clock: SettableClock, add: Add
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    for _ in range(3):
        add(log, 2)
    log.close()
    (path,) = (root / "wal").glob("*.wal")
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)

    with pytest.raises(LogError, match="damaged before acknowledged events"):
        EmbeddedLog(root, Logs(), clock)

    assert path.read_bytes() == data


def test_a_missing_entry_stops_the_start_and_removes_nothing(
    root: Path, clock: SettableClock, add: Add
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    for _ in range(4):
        add(log, 2)
        log.seal()
    log.close()
    before = sorted((root / "seg").rglob("*.parquet"))
    (root / "chain" / "000000000002.json").unlink()

    with pytest.raises(LogError, match="is missing before"):
        EmbeddedLog(root, Logs(), clock)

    assert sorted((root / "seg").rglob("*.parquet")) == before


def test_an_entry_that_cannot_be_read_is_told(root: Path, clock: SettableClock, add: Add) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    add(log, 2)
    log.seal()
    log.close()
    (root / "chain" / "000000000001.json").write_text("{")

    with pytest.raises(LogError, match="no entry of the chain"):
        LogReader(root).view()


def test_a_seal_that_fails_loses_no_acknowledgement_and_is_tried_again(
    root: Path, clock: SettableClock, add: Add
) -> None:
    log = EmbeddedLog(root, Logs(seal_after=timedelta()), clock)
    (root / "seg" / "default").write_text("in the way")
    for _ in range(3):
        add(log, 2)
        log.tick()
        log.settle()
    assert "cannot seal" in log.problem
    assert log.reader.scan(0, 100).column("seq") == [1, 2, 3, 4, 5, 6]

    (root / "seg" / "default").unlink()
    log.tick()
    log.settle()

    assert log.problem == ""
    assert list((root / "wal").glob("*.wal")) == []
    assert log.reader.scan(0, 100).column("seq") == [1, 2, 3, 4, 5, 6]
    log.close()


def test_readers_see_every_event_once_while_it_is_sealed(
    root: Path, clock: SettableClock, add: Add
) -> None:
    log = EmbeddedLog(root, Logs(seal_rows=5), clock)

    def write(times: int) -> None:
        for _ in range(times):
            add(log, 1)

    def read(_: int) -> bool:
        reader, whole = LogReader(root), True
        for _ in range(60):
            seqs = reader.scan(0, 10_000).column("seq")
            whole = whole and seqs == list(range(1, len(seqs) + 1))
        return whole

    with ThreadPoolExecutor(4) as pool:
        writing = pool.submit(write, 200)
        assert all(pool.map(read, range(3)))
        writing.result()
    log.close()


def test_one_reader_serves_many_threads(root: Path, clock: SettableClock, add: Add) -> None:
    log = EmbeddedLog(root, Logs(seal_rows=3), clock)

    def look(_: int) -> int:
        return log.reader.view().upto

    with ThreadPoolExecutor(8) as pool:
        looks = pool.map(look, range(400))
        for _ in range(60):
            add(log, 1)
        assert max(looks) <= 60
    assert log.reader.view().upto == 60
    log.close()


def test_a_mended_document_may_come_under_the_id_of_its_reject(
    root: Path, clock: SettableClock
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    now = clock.now()
    log.append(to_table([Reject("nope", "no JSON", "id1")], "src", now, [REJECTS]))

    done = log.append(to_table([Row(now, "{}", "ecs", event_id="id1")], "src", now, ["default"]))

    assert (done.accepted, done.duplicates) == (1, 0)
    log.close()


def test_a_closed_store_takes_nothing(root: Path, clock: SettableClock, add: Add) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    log.close()
    log.close()

    with pytest.raises(LogError, match="is closed"):
        add(log, 1)


def test_rejects_are_counted_without_being_read(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, Logs(seal_rows=3), clock)
    now = clock.now()
    for _ in range(5):
        log.append(
            to_table([Reject("x", "y"), Row(now, "{}", "ecs")], "s", now, [REJECTS, "default"])
        )

    assert log.reader.count_rejects() == 5
    assert len(log.reader.rejects(0, 3)) == 3
    log.close()


def test_a_damaged_segment_is_named_and_the_rest_is_readable(
    root: Path, clock: SettableClock, add: Add
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    for _ in range(3):
        add(log, 2)
        log.seal()
        clock.moment += timedelta(minutes=1)
    segments = log.reader.view().segments
    path = root / "seg" / segments[1].path
    data = bytearray(path.read_bytes())
    for place in range(4, len(data) // 2):
        data[place] ^= 0xFF
    path.write_bytes(data)

    found: list[int] = []
    with pytest.raises(Damaged, match=path.name):
        found.extend(row["seq"] for row in log.search(Search(parse(""))))
    assert found == [6, 5, 2, 1]
    for look in (
        lambda: log.aggregate(Search(parse(""))),
        lambda: log.scan(2, 10),
        lambda: query.sql(log.reader, "SELECT sum(length(raw)) FROM events"),
    ):
        with pytest.raises(Damaged, match=path.name):
            look()
    assert log.scan(4, 10).column("seq") == [5, 6]
    with pytest.raises(LogError, match="is whole"):
        log.give_up(segments[0].path, "for the test")

    assert log.give_up(segments[1].path, "the disk lost it") == 2

    assert log.scan(0, 10).column("seq") == [1, 2, 5, 6]
    assert [row["seq"] for row in log.search(Search(parse("")))] == [6, 5, 2, 1]
    assert len(list((root / "lost").iterdir())) == 1
    log.close()


def test_a_hold_keeps_a_day_until_it_is_released(
    root: Path, clock: SettableClock, add: Add
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    add(log, 2)
    log.seal()
    today = clock.now().date()
    log.hold("default", "case 7", today)
    log.close()
    log = EmbeddedLog(root, Logs(), clock)

    with pytest.raises(Held, match="case 7"):
        log.drop("default", today, "its time is over")
    with pytest.raises(Held, match="case 7"):
        log.rewrite("default", today, lambda table: [False] * len(table), "erasure")
    log.release("default", "case 7 is closed", today)

    assert log.drop("default", today, "its time is over") == 2
    log.close()


def test_a_summary_that_does_not_fit_its_chain_is_not_believed(
    root: Path, clock: SettableClock, add: Add
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    add(log, 2)
    log.seal()
    log.close()
    EmbeddedLog(root, Logs(), clock).close()
    summary = root / "chain" / "state.json"
    assert '"sealed":2' in summary.read_text()
    summary.write_text(summary.read_text().replace('"sha256:', '"sha256:f'))

    assert LogReader(root).scan(0, 10).column("seq") == [1, 2]


@pytest.mark.parametrize("day", [-1, 1], ids=["back", "ahead"])
def test_a_clock_that_jumps_changes_no_number_and_no_moment(
    root: Path, clock: SettableClock, add: Add, day: int
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    before = clock.now()
    add(log, 2)
    clock.moment += timedelta(days=day)
    add(log, 2)
    log.seal()
    log.compact()

    batch = log.scan(0, 10)

    assert batch.column("seq") == [1, 2, 3, 4]
    assert [m - before for m in batch.column("ingested")] == [timedelta()] * 2 + [
        timedelta(days=day)
    ] * 2
    log.close()
