"""What a disk can do to the event store is told, and costs no acknowledged event."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from soc.clock import SettableClock
from soc.errors import LogError
from soc.logs.embedded import EmbeddedLog
from soc.logs.reader import LogReader
from soc.model.event import Row, to_table
from soc.settings import Logs

ANY = Logs(warn_below=0, refuse_below=0)
Mount = Callable[[str], None]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """A disk of four megabytes, and a way to mount it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")

    def again(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder / "events", again
    subprocess.run(["umount", str(folder)], check=True)


def add(log: EmbeddedLog, clock: SettableClock, count: int) -> int:
    rows = [Row(clock.now(), f'{{"n":"{os.urandom(400).hex()}"}}', "ecs") for _ in range(count)]
    return log.append(to_table(rows, "src", clock.now(), ["default"] * count)).accepted


def test_a_full_disk_refuses_whole_batches_and_loses_none(
    small: tuple[Path, Mount], clock: SettableClock
) -> None:
    root, again = small
    log = EmbeddedLog(root, ANY, clock)
    stored = 0

    def fill() -> None:
        nonlocal stored
        while True:
            stored += add(log, clock, 100)

    with pytest.raises(LogError, match="No space left on device: nothing was stored"):
        fill()

    assert log.scan(0, 10**6).column("seq") == list(range(1, stored + 1))
    log.tick()
    log.settle()
    assert "cannot seal" in log.problem

    again("size=64m")
    stored += add(log, clock, 100)
    log.tick()
    log.settle()
    assert log.problem == ""
    log.close()
    log = EmbeddedLog(root, ANY, clock)
    assert log.scan(0, 10**6).column("seq") == list(range(1, stored + 1))
    log.close()


def test_a_read_only_disk_is_told_and_readable(
    small: tuple[Path, Mount], clock: SettableClock
) -> None:
    root, again = small
    log = EmbeddedLog(root, ANY, clock)
    add(log, clock, 10)
    log.seal()
    log.close()
    again("ro")

    with pytest.raises(LogError, match="Read-only file system"):
        EmbeddedLog(root, ANY, clock)
    assert LogReader(root).scan(0, 100).column("seq") == list(range(1, 11))

    again("rw")
    log = EmbeddedLog(root, ANY, clock)
    assert add(log, clock, 1) == 1
    log.close()
