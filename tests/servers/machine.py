"""Start real servers on this machine, on free ports of loopback, and end what was started.

Servers run as nobody where the tests run as root: they refuse root, and so should we. A server dies
with the process that started it, however that ends.
"""

import ctypes
import fcntl
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
AS_ROOT = os.geteuid() == 0
Given = TypeVar("Given")
NOBODY = pwd.getpwnam("nobody")


class Unobtainable(Exception):
    """What a test needs is not here and cannot be brought here; the reason says what was tried."""


@dataclass
class Server:
    """A process that was started here, and where it writes what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def end(self, how: signal.Signals = signal.SIGTERM, seconds: float = 30) -> None:
        """Send *how* to this process alone; kill it if it is still there after *seconds*."""
        if not self.is_alive:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def await_(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return when *ready*; raise RuntimeError with the last lines of the log if it never is."""
        end = time.monotonic() + seconds
        while not ready():
            if not self.is_alive or time.monotonic() > end:
                state = "is not ready" if self.is_alive else f"ended with {self.process.returncode}"
                said = self.log.read_text(errors="replace").splitlines()[-15:]
                raise RuntimeError("\n".join([f"{self.process.args!r:.80} {state}:", *said]))
            time.sleep(0.05)


def start(
    command: Sequence[str | Path],
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    inside: Path | None = None,
    at_death: signal.Signals = signal.SIGKILL,
) -> Server:
    """Start *command*, whose log goes to *folder*; it gets *at_death* when its starter dies."""
    log = folder / "server.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=inside or folder,
            env={**os.environ, "HOME": str(folder), **(environ or {})},
            start_new_session=True,
            # Changing the user clears the signal of death, so this comes after it.
            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, at_death),  # noqa: PLW1509 - one system call
            **somebody(),
        )
    return Server(process, log)


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run *command* to its end as the servers' user; raises CalledProcessError."""
    words = [str(word) for word in command]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=120, **somebody())


def somebody() -> dict[str, Any]:
    """Return what Popen needs to run a command as a user that is not root."""
    if not AS_ROOT:
        return {}
    return {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}


def give(path: Path) -> None:
    """Make *path* and all below it the property of the servers' user."""
    if AS_ROOT:
        for one in (path, *path.rglob("*")):
            os.chown(one, NOBODY.pw_uid, NOBODY.pw_gid)


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """Give a short-lived folder that the servers' user owns."""
    made = Path(tempfile.mkdtemp(prefix=f"commonwatch-{name}-"))
    give(made)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def reachable(source: Path, beside: Path) -> Path:
    """Return *source*, or a copy of it in *beside* if the servers' user cannot read it there."""
    try:
        run(["test", "-r", source, "-a", "-x", source.parent], Path("/"))
    except subprocess.CalledProcessError:
        copy = beside / source.name
        shutil.copytree(source, copy, copy_function=_linked, symlinks=True, dirs_exist_ok=True)
        for one in (copy, *copy.rglob("*")):
            if not one.is_symlink():
                one.chmod(one.stat().st_mode | (0o755 if one.is_dir() else 0o444))
        return copy
    return source


@contextmanager
def obtained(server: AbstractContextManager[Given]) -> Iterator[Given]:
    """Give *server*; skip the test, with the reason, where there is none to be had."""
    with ExitStack() as stack:
        try:
            given = stack.enter_context(server)
        except Unobtainable as missing:
            pytest.skip(str(missing))
        yield given


def free_port() -> int:
    """Return a port that nobody listens on, and that no one else here is given before it is used."""
    for port in PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port of loopback is free")


def _ports() -> Iterator[int]:
    """Yield this worker's share of the ports that the system gives to no client, each once."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = range(20_000, 32_000)[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    begin = random.randrange(len(share))
    yield from (*share[begin:], *share[:begin])


PORTS = _ports()


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def cache() -> Path:
    """Return where what was downloaded is kept between runs."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = place / "commonwatch" / "servers"
    made.mkdir(parents=True, exist_ok=True)
    return made


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Let one process at a time gather *what*."""
    with (cache() / f".{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def command(name: str, package: str) -> Path:
    """Return the program *name*, from the Debian *package* if it is not here and we are root.

    Raises Unobtainable where neither holds.
    """
    with alone("apt"):
        if not (found := shutil.which(name)) and AS_ROOT and shutil.which("apt-get"):
            install = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "install", "-y"]
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for words in (["apt-get", "-qq", "update"], [*install, package]):
                subprocess.run(words, env=quiet, capture_output=True, check=False)
            found = shutil.which(name)
    if not found:
        raise Unobtainable(f"{name} is not here: apt-get install {package}")
    return Path(found)


def _linked(source: str, target: str) -> None:
    """Link where one file system holds both, copy elsewhere."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
