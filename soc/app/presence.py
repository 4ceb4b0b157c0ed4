"""Know whether an installation is at work: some things want it still."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from soc.app.home import Home
from soc.errors import HomeError

NAME = "WORKING"


@contextmanager
def at_work(home: Home) -> Iterator[None]:
    """Keep *home* from being moved away while the block runs; raises HomeError if it just is."""
    with _file(home, fcntl.LOCK_SH, "its store is being moved: start again when that is done"):
        yield


@contextmanager
def at_rest(home: Home) -> Iterator[None]:
    """Keep *home* from being served and worked on while the block runs.

    Raises HomeError if a front door or a worker of this machine is at it.
    """
    with _file(home, fcntl.LOCK_EX, "it is served or worked on: stop `soc serve` and `soc work`"):
        yield


@contextmanager
def _file(home: Home, kind: int, otherwise: str) -> Iterator[None]:
    with (home.path / NAME).open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError as held:
            raise HomeError(f"{home.path}: {otherwise}") from held
        yield
