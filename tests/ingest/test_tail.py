"""Files are followed through everything that rotates them; each line is handed on once."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from soc.errors import HomeError, LogError
from soc.ingest.listen import tail as following
from soc.ingest.listen.batches import Line
from soc.ingest.listen.tail import CUT, LONGEST, Tail, Watched


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "app.log"


def tail_of(log: Path, pattern: str = "app.log", settled: float = 0.0) -> Tail:
    kept = log.parent.parent / "inputs" / "files.json"
    return Tail([Watched(str(log.parent / pattern), "app")], kept, settled=settled)


def texts(tail: Tail) -> list[bytes]:
    lines = [line.data for line in tail.read()]
    tail.commit()
    return lines


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_what_is_added_is_read_once_and_a_half_line_is_waited_for(log: Path) -> None:
    tail = tail_of(log)
    write(log, "one\ntwo\r\nthr")

    first = texts(tail)
    write(log, "ee\n\nfour\n")

    assert [first, texts(tail), texts(tail)] == [[b"one", b"two"], [b"three", b"four"], []]


def test_after_a_restart_it_goes_on_where_it_was(log: Path) -> None:
    write(log, "one\n")
    tail = tail_of(log)
    texts(tail)
    tail.close()
    write(log, "two\n")

    assert texts(tail_of(log)) == [b"two"]


def test_what_was_not_committed_is_read_again_with_the_same_ids(log: Path) -> None:
    write(log, "one\ntwo\n")
    before = tail_of(log).read()
    write(log, "three\n" * 500)

    again = tail_of(log).read()

    assert [line.id for line in again[:2]] == [line.id for line in before]
    assert len({line.id for line in again}) == len(again) == 502


def test_a_file_that_is_renamed_is_read_to_its_end_and_the_new_one_from_its_beginning(
    log: Path,
) -> None:
    tail = tail_of(log)
    write(log, "one\n")
    found = texts(tail)
    write(log, "two\n")
    log.rename(log.with_suffix(".log.1"))
    write(log.with_suffix(".log.1"), "three\nhalf")
    write(log, "four\n")

    for _ in range(3):
        found += texts(tail)

    assert sorted(found) == [b"four", b"half", b"one", b"three", b"two"]


def test_a_file_renamed_while_nobody_looked_is_read_to_its_end(log: Path) -> None:
    write(log, "one\n")
    tail = tail_of(log)
    found = texts(tail)
    tail.close()
    write(log, "two\n")
    log.rename(log.with_suffix(".log.1"))
    write(log, "three\n")

    found += texts(tail_of(log))

    assert sorted(found) == [b"one", b"three", b"two"]


def test_a_renamed_file_that_the_pattern_still_names_is_not_read_again(log: Path) -> None:
    tail = tail_of(log, "app.log*")
    write(log, "one\n")
    found = texts(tail)
    log.rename(log.with_suffix(".log.1"))
    write(log, "two\n")

    found += texts(tail)
    found += texts(tail)

    assert found == [b"one", b"two"]


@pytest.mark.parametrize("rest", ["", "#head\n"], ids=["all of it", "but its first line"])
def test_a_file_that_is_copied_and_emptied_is_read_from_its_beginning(log: Path, rest: str) -> None:
    tail = tail_of(log)
    write(log, "#head\none\ntwo\n")
    before = tail.read()
    tail.commit()
    shutil.copy(log, log.with_suffix(".log.1"))
    os.truncate(log, 0)
    write(log, f"{rest}one\n")

    after = tail.read()

    assert [line.data for line in after][-1:] == [b"one"]
    assert {line.id for line in before}.isdisjoint(line.id for line in after)


def test_a_file_emptied_and_written_beyond_where_it_was_read_is_known_by_its_head(
    log: Path,
) -> None:
    tail = tail_of(log)
    write(log, "one\n")
    texts(tail)
    os.truncate(log, 0)
    write(log, "another\nmore\n")

    assert texts(tail) == [b"another", b"more"]


def test_a_number_given_to_another_file_is_not_taken_for_the_first(log: Path) -> None:
    write(log, "one\ntwo\n")
    tail = tail_of(log)
    texts(tail)
    tail.close()
    number = log.stat().st_ino
    kept = log.parent.parent / "inputs" / "files.json"
    log.unlink()
    write(log, "other\ntwo\n")
    kept.write_text(kept.read_text().replace(str(number), str(log.stat().st_ino)))

    assert texts(tail_of(log)) == [b"other", b"two"]


def test_of_a_line_too_long_the_beginning_is_kept_and_the_next_is_found(log: Path) -> None:
    write(log, "x" * (2 * LONGEST + 5) + "\nafter\n")
    tail = tail_of(log)

    lines = [line for _ in range(4) for line in tail.read()]

    assert [(len(line.data), line.reason) for line in lines] == [(LONGEST, CUT), (5, "")]
    assert lines[1].data == b"after"


def test_more_lines_than_a_batch_come_in_order(log: Path) -> None:
    write(log, "".join(f"line {n}\n" for n in range(5_000)))
    tail = tail_of(log)
    found: list[bytes] = []

    while lines := tail.read():
        assert len(lines) <= following.SIZE
        found += [line.data for line in lines]

    assert found == [b"line %d" % n for n in range(5_000)]


def test_what_is_no_file_is_left_alone(log: Path) -> None:
    (log.parent / "folder.log").mkdir()
    os.mkfifo(log.parent / "pipe.log")
    write(log, "one\n")

    assert texts(tail_of(log, "*.log")) == [b"one"]


def test_marks_that_cannot_be_read_stop_the_start_by_name(log: Path) -> None:
    kept = log.parent.parent / "inputs" / "files.json"
    kept.parent.mkdir()
    kept.write_text("{")

    with pytest.raises(HomeError, match=r"files\.json cannot be read: move it away"):
        tail_of(log)


def test_while_the_store_is_full_the_offset_stays_and_the_lines_are_tried_again(log: Path) -> None:
    write(log, "one\ntwo\n")
    stored: list[bytes] = []
    failures = [1, 1]

    async def play() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def append(lines: Sequence[Line]) -> None:
            if failures:
                failures.pop()
                raise LogError("the disk is full")
            stored.extend(line.data for line in lines)
            loop.call_soon_threadsafe(stop.set)

        await asyncio.wait_for(tail_of(log).run(append, stop), 20)

    asyncio.run(play())

    assert stored == [b"one", b"two"]
    assert texts(tail_of(log)) == []


def test_told_to_stop_while_the_store_is_full_it_reads_them_again_next_time(log: Path) -> None:
    write(log, "one\n")

    async def play() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def append(_: Sequence[Line]) -> None:
            loop.call_soon_threadsafe(stop.set)
            raise LogError("the disk is full")

        await asyncio.wait_for(tail_of(log).run(append, stop), 20)

    asyncio.run(play())

    assert texts(tail_of(log)) == [b"one"]


def test_what_a_held_source_has_is_left_and_others_go_on(log: Path) -> None:
    other = log.with_name("other.log")
    write(log, "one\n")
    write(other, "two\n")
    held = {"app"}
    watched = [Watched(str(log), "app"), Watched(str(other), "other")]
    tail = Tail(watched, log.parent.parent / "files.json", held.__contains__, settled=0.0)

    first = texts(tail)
    held.clear()

    assert [first, texts(tail)] == [[b"two"], [b"one"]]
