"""Play the main job: suite, platform and driver as three processes, in real time."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlmodel import col, func, select

from soc.app.suite import Suite
from soc.clock import monotonic, pause
from soc.demo import stage as stages
from soc.demo.table import result_of
from soc.errors import HomeError
from soc.model.shard import between, marks_of
from soc.store.session import reading
from soc.store.tables import DetectorWindow, Run

SETTLE = 15.0
Progress = Callable[[float, str], None]


def play(home: Path, seed: int, progress: Progress, *, keep: bool) -> dict[str, Any]:
    """Play one round in a new home; return what it came to.

    With *keep*, suite and platform go on until SIGINT after the result is there: the driver's
    progress is then followed by one line that names their addresses.
    """
    progress(0.0, "preparing a home")
    stage = stages.prepare(home)
    with ExitStack() as stack:
        port = stages.free_port()
        serve = ("soc.cli.main", "serve", "--home", str(home), "--port", str(port))
        suite = stack.enter_context(stages.started(serve, home / "suite.log"))
        address = stages.ready(suite)
        _drain(suite)
        progress(0.0, f"suite at {address}")
        platform = stack.enter_context(
            stages.started(_platform(stage, address), home / "platform.log")
        )
        site = stages.ready(platform)
        _drain(platform)
        progress(0.0, f"platform at {site}")
        _drive(stack, stage, seed, (site, address), progress)
        result = _settled(home, stage)
        if keep:
            progress(
                1.0,
                f"console {address} (admin / {stage.password}), platform {site}; Ctrl-C ends both",
            )
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return result


def _platform(stage: stages.Stage, suite: str) -> tuple[str, ...]:
    return (
        "soc.demo.platform", "--home", str(stage.home), "--port", "0", "--suite", suite,
        "--ingest-token-file", str(stage.token("platform")),
        "--edge-token-file", str(stage.token("edge")), "--day-seconds", str(stages.DAY),
    )  # fmt: skip


def _drive(
    stack: ExitStack,
    stage: stages.Stage,
    seed: int,
    addresses: tuple[str, str],
    progress: Progress,
) -> None:
    site, suite = addresses
    command = (
        "soc.demo.driver", "--home", str(stage.home), "--platform", site, "--suite", suite,
        "--suite-token-file", str(stage.token("rhea")), "--seed", str(seed),
        "--day-seconds", str(stages.DAY),
    )  # fmt: skip
    driver = stack.enter_context(stages.started(command, stage.home / "driver.log"))
    assert driver.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in driver.stdout:
        said = json.loads(line)
        progress(float(said.get("progress", 1.0)), str(said.get("event", "")))
    if driver.wait() != 0:
        raise HomeError(f"the driver ended with {driver.returncode}: read {stage.home}/driver.log")


def _drain(process: subprocess.Popen[bytes]) -> None:
    """Keep reading what *process* prints, so that it never waits for us."""
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    threading.Thread(target=process.stdout.read, daemon=True).start()


def _settled(home: Path, stage: stages.Stage) -> dict[str, Any]:
    """Wait until everything that was taken in was looked at and answered; return the result."""
    suite = Suite(home)
    end = monotonic() + SETTLE
    while monotonic() < end:
        upto = suite.reader.upto()
        with reading(suite.database) as looking:
            read = looking.exec(select(DetectorWindow.marks)).all()
            busy = select(func.count()).where(col(Run.state).in_(("queued", "running")))
            is_read = read and not any(between(marks_of(one), upto) for one in read)
            if is_read and not looking.exec(busy).one():
                break
        pause(0.5)
    files = {
        "home": str(home),
        "truth": str(home / "truth.json"),
        "access": str(home / "platform_access.ndjson"),
        "outbox": str(home / "outbox"),
        "log": str(home / "suite.log"),
    }
    with reading(suite.database) as looking:
        return result_of(looking, stage.home, files)
