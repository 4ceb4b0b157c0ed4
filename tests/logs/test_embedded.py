"""What was acknowledged is durable, numbered without gaps, and found again."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Thread

import orjson
import pytest

from soc.clock import SettableClock
from soc.errors import LogError
from soc.logs import wal
from soc.logs.chain import Chain
from soc.logs.embedded import EmbeddedLog
from soc.logs.reader import LogReader
from soc.model.event import REJECTS, Reject, Row, to_table
from soc.model.value import EPOCH
from soc.settings import Logs

SMALL = Logs(seal_rows=10)


def rows(count: int, begin: int = 0, *, ids: bool = False) -> list[Row | Reject]:
    return [
        Row(EPOCH, f'{{"n":{n}}}', "ecs", dataset="d", event_id=f"e{n}" if ids else None)
        for n in range(begin, begin + count)
    ]


def add(log: EmbeddedLog, given: list[Row | Reject], clock: SettableClock) -> tuple[int, int, int]:
    classes = [REJECTS if isinstance(row, Reject) else "default" for row in given]
    done = log.append(to_table(given, "src", clock.now(), classes))
    return done.accepted, done.rejected, done.duplicates


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "events"


def test_numbers_have_no_gap_and_every_event_is_found_in_order(
    root: Path, clock: SettableClock
) -> None:
    log = EmbeddedLog(root, SMALL, clock)
    for begin in range(0, 37, 4):
        add(log, rows(4, begin), clock)

    batch = log.reader.scan(0, 1000)

    assert batch.column("seq") == list(range(1, 41))
    assert [orjson.loads(raw)["n"] for raw in batch.column("raw")] == list(range(40))
    assert batch.upto == 40
    log.close()


@pytest.mark.parametrize("limit", [1, 9, 10, 11, 20, 39, 40, 41])
def test_a_limit_cuts_windows_and_loses_nothing(
    root: Path, clock: SettableClock, limit: int
) -> None:
    log = EmbeddedLog(root, SMALL, clock)
    for begin in range(0, 40, 5):
        add(log, rows(5, begin), clock)
    seen, after = [], 0

    while (batch := log.reader.scan(after, limit)).upto > after:
        seen += batch.column("seq")
        after = batch.upto

    assert seen == list(range(1, 41))
    log.close()


def test_a_reject_takes_a_number_and_is_no_event(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, SMALL, clock)

    counts = add(log, [*rows(2), Reject("nonsense", "no parser"), *rows(1, 2)], clock)

    assert counts == (3, 1, 0)
    assert log.reader.scan(0, 10).column("seq") == [1, 2, 4]
    assert log.reader.rejects().select(["seq", "raw", "reason"]).to_pylist() == [
        {"seq": 3, "raw": "nonsense", "reason": "no parser"}
    ]
    log.close()


def test_a_known_id_is_stored_once_also_after_a_restart(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, SMALL, clock)
    assert add(log, rows(15, ids=True), clock) == (15, 0, 0)
    assert add(log, rows(3, 20, ids=True), clock) == (3, 0, 0)
    log.close()
    log = EmbeddedLog(root, SMALL, clock)

    counts = add(log, [*rows(15, ids=True), *rows(5, 20, ids=True)], clock)

    assert counts == (2, 0, 18)
    log.close()


def test_an_unfinished_frame_is_forgotten_and_its_numbers_are_given_again(
    root: Path, clock: SettableClock
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    add(log, rows(3), clock)
    log.close()
    (path,) = (root / "wal").glob("*.wal")
    whole = path.read_bytes()
    torn = wal.Encoder().frame(4, to_table(rows(2, 3), "src", clock.now(), ["default"] * 2))
    path.write_bytes(whole + torn[:-1])

    log = EmbeddedLog(root, Logs(), clock)
    add(log, rows(1, 9), clock)

    assert [orjson.loads(raw)["n"] for raw in log.reader.scan(0, 10).column("raw")] == [0, 1, 2, 9]
    log.close()


@pytest.mark.parametrize("flip", [0, 4, 20, 30, -1])
def test_a_frame_with_one_wrong_bit_ends_the_file(
    root: Path, clock: SettableClock, flip: int
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    add(log, rows(3), clock)
    log.close()
    (path,) = (root / "wal").glob("*.wal")
    data = bytearray(path.read_bytes())
    data[flip] ^= 1
    path.write_bytes(data)

    assert len(LogReader(root).scan(0, 10)) == 0


def test_files_that_no_entry_names_are_swept_and_nothing_is_doubled(
    root: Path, clock: SettableClock
) -> None:
    """A crash between writing a segment and its entry leaves the rows in the write-ahead file."""
    log = EmbeddedLog(root, Logs(), clock)
    add(log, rows(12), clock)
    log.close()
    saved = {path: path.read_bytes() for path in (root / "wal").glob("*.wal")}
    log = EmbeddedLog(root, Logs(), clock)
    log.seal()
    log.close()
    for entry in (root / "chain").glob("*.json"):
        entry.unlink()
    for path, data in saved.items():
        path.write_bytes(data)

    log = EmbeddedLog(root, Logs(), clock)

    assert log.reader.scan(0, 100).column("seq") == list(range(1, 13))
    assert list((root / "seg").rglob("*.parquet")) == []
    log.close()


def test_a_crash_before_the_sealed_file_is_removed_doubles_nothing(
    root: Path, clock: SettableClock
) -> None:
    log = EmbeddedLog(root, Logs(), clock)
    add(log, rows(12), clock)
    saved = {path: path.read_bytes() for path in (root / "wal").glob("*.wal")}
    log.seal()
    log.close()
    for path, data in saved.items():
        path.write_bytes(data)

    log = EmbeddedLog(root, Logs(), clock)
    add(log, rows(1, 12), clock)

    assert log.reader.scan(0, 100).column("seq") == list(range(1, 14))
    log.close()


def test_the_tail_is_sealed_by_age(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, Logs(seal_after=timedelta(minutes=5)), clock)
    add(log, rows(3), clock)
    log.tick()
    log.settle()
    assert Chain(root / "chain").state().sealed == 0

    clock.moment += timedelta(minutes=5)
    log.tick()
    log.settle()

    assert Chain(root / "chain").state().sealed == 3
    assert list((root / "wal").glob("*.wal")) == []
    log.close()


def test_a_dropped_day_is_gone_and_windows_move_past_it(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, SMALL, clock)
    add(log, rows(10), clock)
    log.seal()
    clock.moment += timedelta(days=1)
    add(log, rows(10, 10), clock)
    log.seal()

    dropped = log.drop("default", clock.now().date() - timedelta(days=1), "its time is over")

    assert dropped == 10
    assert log.reader.scan(0, 100).column("seq") == list(range(11, 21))
    assert log.reader.scan(0, 100).upto == 20
    assert len(list((root / "seg").rglob("*.parquet"))) == 1
    log.close()


def test_a_changed_entry_breaks_the_chain(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, SMALL, clock)
    for begin in (0, 10):
        add(log, rows(10, begin), clock)
        log.seal()
    log.close()
    first = root / "chain" / "000000000001.json"
    first.write_text(first.read_text().replace('"last":10', '"last":11'))

    with pytest.raises(LogError, match="does not follow"):
        LogReader(root).view()


def test_a_second_writer_is_told_who_holds_the_lock(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, SMALL, clock)

    with pytest.raises(LogError, match=str(os.getpid())):
        EmbeddedLog(root, SMALL, clock)

    log.close()


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from soc.clock import SystemClock
from soc.logs.embedded import EmbeddedLog
from soc.model.event import Row, to_table
from soc.settings import Logs

log = EmbeddedLog(Path(sys.argv[1]), Logs(seal_rows=50), SystemClock())
for n in range(100_000):
    now = datetime.now(UTC)
    log.append(to_table([Row(now, f'{{"n":{n}}}', "ecs") for _ in range(7)], "s", now, ["default"] * 7))
    print(n, flush=True)
"""


def test_kill_9_loses_nothing_acknowledged(root: Path, clock: SettableClock) -> None:
    for acknowledgements in (3, 11, 29):
        before = LogReader(root).view().upto if root.exists() else 0
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(root)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(acknowledgements):
            child.stdout.readline()
        child.kill()
        acknowledged = acknowledgements + len(child.stdout.readlines())
        child.wait()
        child.stdout.close()

        log = EmbeddedLog(root, Logs(seal_rows=50), clock)
        batch = log.reader.scan(0, 10**6)
        log.close()

        assert batch.column("seq") == list(range(1, batch.upto + 1))
        assert batch.upto >= before + 7 * acknowledged
        assert batch.upto % 7 == 0


def test_closing_ends_the_rest_of_work_in_the_background(root: Path, clock: SettableClock) -> None:
    log = EmbeddedLog(root, SMALL, clock)
    resting = Thread(target=log._journal.rest, args=(60,))
    resting.start()

    log.close()
    resting.join(10)

    assert not resting.is_alive()
