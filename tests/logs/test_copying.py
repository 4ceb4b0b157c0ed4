"""A copy of the event store, taken while it is written, misses nothing that was acknowledged."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from soc.clock import SettableClock
from soc.errors import LogError
from soc.logs.copying import copy
from soc.logs.embedded import EmbeddedLog
from soc.logs.reader import LogReader
from soc.model.event import Row, to_table
from soc.settings import Logs

Act = Callable[[], object]


class Opening:
    """Lets something happen just before a file is opened; Python keeps its hooks for ever."""

    def __init__(self) -> None:
        self.part, self.act = "", None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[object, ...]) -> None:
        if event == "open" and self.act and self.part in str(given[0]):
            act, self.act = self.act, None
            act()


OPENING = Opening()


@pytest.fixture
def before_opening() -> Iterator[Callable[[str, Act], None]]:
    """A way to let an act happen just before a path that holds some text is first opened."""

    def plan(part: str, act: Act) -> None:
        OPENING.part, OPENING.act = part, act

    yield plan
    OPENING.act = None


@pytest.fixture
def log(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedLog]:
    opened = EmbeddedLog(tmp_path / "events", Logs(seal_rows=100), clock)
    yield opened
    opened.close()


def add(log: EmbeddedLog, clock: SettableClock, count: int, data_class: str = "default") -> int:
    """Append *count* events; return the last number."""
    rows = [Row(clock.now(), f'{{"n": {n}}}', "ecs") for n in range(count)]
    last = log.append(to_table(rows, "src", clock.now(), [data_class] * count)).last
    assert last is not None
    return last


def numbers(root: Path) -> list[int]:
    found: list[int] = LogReader(root).scan(0, 10**9).column("seq")
    return found


def same(root: Path, copied: Path, upto: int) -> bool:
    """Return whether *copied* holds the events that *root* has up to number *upto*."""
    seqs = list(range(1, upto + 1))
    given, taken = LogReader(root).events(seqs), LogReader(copied).events(seqs)
    return bool(given.select(["seq", "raw"]).equals(taken.select(["seq", "raw"])))


def test_a_copy_is_the_store_and_goes_on_where_it_ended(
    log: EmbeddedLog, clock: SettableClock, tmp_path: Path
) -> None:
    for count in (120, 30, 7):
        add(log, clock, count)

    last = copy(tmp_path / "events", tmp_path / "copy")

    assert last == 157
    assert same(tmp_path / "events", tmp_path / "copy", last)
    again = EmbeddedLog(tmp_path / "copy", Logs(), clock)
    assert add(again, clock, 1) == 158
    again.close()


def test_a_copy_taken_while_events_come_in_holds_every_one_that_was_acknowledged(
    log: EmbeddedLog, clock: SettableClock, tmp_path: Path
) -> None:
    done, stop = [add(log, clock, 1)], Event()

    def write() -> None:
        for count in itertools.cycle((1, 40, 3, 99, 2)):
            done.append(add(log, clock, count))
            if stop.wait(0.005):
                return

    writer = Thread(target=write)
    writer.start()
    try:
        for n in range(30):
            before = done[-1]
            target = tmp_path / f"copy{n}"
            last = copy(tmp_path / "events", target)

            assert last >= before
            assert numbers(target) == list(range(1, last + 1))
            assert same(tmp_path / "events", target, last)
    finally:
        stop.set()
        writer.join()
    assert list((tmp_path / "copy29" / "seg").rglob("*.parquet"))  # some was sealed meanwhile


def test_a_file_that_is_sealed_while_it_is_copied_is_not_missed(
    log: EmbeddedLog,
    clock: SettableClock,
    tmp_path: Path,
    before_opening: Callable[[str, Act], None],
) -> None:
    add(log, clock, 10)
    before_opening("/wal/", log.seal)

    assert copy(tmp_path / "events", tmp_path / "copy") == 10
    assert numbers(tmp_path / "copy") == list(range(1, 11))


def test_events_that_come_between_the_files_and_the_chain_leave_no_gap(
    log: EmbeddedLog,
    clock: SettableClock,
    tmp_path: Path,
    before_opening: Callable[[str, Act], None],
) -> None:
    add(log, clock, 100)  # sealed
    add(log, clock, 10)
    before_opening("/chain/0", lambda: (add(log, clock, 95), add(log, clock, 5)))

    last = copy(tmp_path / "events", tmp_path / "copy")

    assert last >= 110
    assert numbers(tmp_path / "copy") == list(range(1, last + 1))


def test_a_segment_that_is_dropped_while_it_is_copied_is_dropped_in_the_copy(
    log: EmbeddedLog,
    clock: SettableClock,
    tmp_path: Path,
    before_opening: Callable[[str, Act], None],
) -> None:
    add(log, clock, 100, "short")
    add(log, clock, 100)
    day = clock.now().date()
    before_opening("/seg/short", lambda: log.drop("short", day, "its time is over"))

    assert copy(tmp_path / "events", tmp_path / "copy") == 200
    assert numbers(tmp_path / "copy") == list(range(101, 201))


def test_a_segment_that_was_copied_and_then_dropped_is_not_kept(
    log: EmbeddedLog,
    clock: SettableClock,
    tmp_path: Path,
    before_opening: Callable[[str, Act], None],
) -> None:
    for data_class in ("a", "b", "c"):
        add(log, clock, 100, data_class)
    day = clock.now().date()
    before_opening("/seg/c", lambda: [log.drop(name, day, "over") for name in ("a", "c")])

    copy(tmp_path / "events", tmp_path / "copy")

    kept = [path.parts[-3] for path in (tmp_path / "copy").rglob("*.parquet")]
    assert kept == ["b"]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "is missing: restore a backup"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
            "is not what the chain says",
        ),
    ],
    ids=["missing", "changed"],
)
def test_a_store_that_is_damaged_is_not_copied_but_told(
    log: EmbeddedLog,
    clock: SettableClock,
    tmp_path: Path,
    harm: Callable[[Path], object],
    told: str,
) -> None:
    add(log, clock, 100)
    (segment,) = (tmp_path / "events" / "seg").rglob("*.parquet")
    harm(segment)

    with pytest.raises(LogError, match=rf"{segment.name} {told}"):
        copy(tmp_path / "events", tmp_path / "copy")


def test_only_the_owner_may_read_a_copy(
    log: EmbeddedLog, clock: SettableClock, tmp_path: Path
) -> None:
    add(log, clock, 101)

    copy(tmp_path / "events", tmp_path / "copy")

    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
