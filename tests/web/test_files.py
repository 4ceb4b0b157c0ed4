"""Files are followed by a running suite; whatever kills it, each line is stored once."""

import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from soc.logs.reader import LogReader
from tests.web.serving import make_home, refused, serving

T = "2026-11-23T12:00:00Z"
SETTINGS = """
web: {port: 0}
inputs: {files: [{path: "logs/*.log", source: app}]}
"""


def write(path: Path, numbers: range) -> None:
    with path.open("a") as file:
        for number in numbers:
            file.write(f'{{"@timestamp":"{T}","message":"{number}"}}\n')


def stored(home: Path) -> Counter[str]:
    return Counter(LogReader(home / "events").scan(0, 100_000).column("message"))


def wait_for(home: Path, count: int) -> None:
    for _ in range(600):
        if len(stored(home)) >= count:
            return
        time.sleep(0.05)


@pytest.mark.timeout(300)
def test_kills_at_any_moment_neither_lose_nor_double_a_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home, SETTINGS)
    (home / "logs").mkdir()
    log = home / "logs" / "app.log"
    draw = Random(7)
    count = 0
    for turn in range(5):
        write(log, range(count, count + 6_000))
        count += 6_000
        with serving(home, command="front") as served:
            time.sleep(draw.uniform(0.0, 0.6))
            served.kill()
        if turn == 2:
            log.rename(log.with_name("app.log.1"))

    with serving(home, command="front"):
        wait_for(home, count)

    found = stored(home)
    assert len(found) == count
    assert set(found.values()) == {1}
    assert (home / "inputs" / "files.json").is_file()


def test_lines_that_are_no_events_are_kept_as_rejects(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home, SETTINGS)
    (home / "logs").mkdir()
    (home / "logs" / "app.log").write_text("hello\n")

    with serving(home, command="front"):
        for _ in range(200):
            if LogReader(home / "events").count_rejects():
                break
            time.sleep(0.05)

    (reject,) = LogReader(home / "events").rejects().to_pylist()
    assert (reject["source"], reject["raw"]) == ("app", "hello")
    assert reject["event_id"].startswith("file:")


def test_a_format_that_no_parser_has_stops_the_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home, 'inputs: {files: [{path: "*.log", source: a, format: ngnix}]}\n')

    assert "inputs.files: no format 'ngnix'" in refused(home)
