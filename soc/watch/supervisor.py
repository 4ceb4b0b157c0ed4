"""Keep a front door and a worker alive. Starts commands, and imports no stage."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event

from soc.clock import monotonic

LOOK_EVERY = 0.1
PATIENCE = 8.0
REFUSED = 78
"""The exit code of a child whose settings, home or lock forbid it to start (EX_CONFIG)."""
CALM = 5.0
"""Seconds that a child must live to be restarted at once when it dies."""


@dataclass
class Child:
    """One command that should always be running."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    last_words: str = ""
    not_before: float = field(default=0.0)


def supervise(children: Sequence[Child], stop: Event) -> bool:
    """Run *children* until *stop* is set; restart each that dies, telling it that it did.

    Return False if one refused to start: trying again would change nothing.
    """
    try:
        while not stop.wait(LOOK_EVERY):
            refused = [child for child in children if not _tend(child)]
            if refused:
                return False
    finally:
        _end(children)
    return True


def stop_on_signal() -> Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _tend(child: Child) -> bool:
    """Start *child* if it is not there; return False if it refused to start."""
    now = monotonic()
    if child.process is None:
        if now >= child.not_before:
            _start(child)
        return True
    code = child.process.poll()
    if code is None:
        return True
    if code == REFUSED:
        child.process = None
        return False
    child.deaths = child.deaths + 1 if now - child.started < CALM else 1
    child.last_words = f"{child.name} ended with {code}"
    print(f"{child.last_words}, starting it again", file=sys.stderr, flush=True)  # noqa: T201 - for whoever runs it
    child.process = None
    child.not_before = now + min(0.2 * 2 ** min(child.deaths, 10), PATIENCE) - 0.2
    return True


def _start(child: Child) -> None:
    after = ("--after", child.last_words) if child.last_words else ()
    command = [sys.executable, "-m", "soc.cli.main", *child.command, *after]
    child.process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - our own command
    child.started = monotonic()


def _end(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process]
    for process in running:
        process.terminate()
    end = monotonic() + PATIENCE
    for process in running:
        try:
            process.wait(max(end - monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
