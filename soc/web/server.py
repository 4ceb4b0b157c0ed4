"""Serve the front door: on its address for others, on the home's socket for this machine."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from soc.app.local import address_of
from soc.app.suite import Suite
from soc.clock import monotonic, pause
from soc.errors import HomeError, LogError
from soc.logs.embedded import EmbeddedLog
from soc.web.app import build
from soc.web.front import Front

PATIENCE = 10.0
"""Seconds that a start waits for the lock and the port."""
SEAL_LOOK = 1.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(suite: Suite, host: str, port: int) -> None:
    """Serve until told to stop; prints ``ready http://…`` when it answers."""
    if host not in LOOPBACK:
        raise HomeError(f"{host}: without TLS only loopback is served; put a proxy before it")
    _ = suite.classify  # a broken policy of retention must stop the start, not the first event
    log = _patiently(suite)
    front = Front(suite, log)
    listeners = [_listen(host, port), _local(suite.home.socket)]
    server = _Server(config_of(front))
    try:
        asyncio.run(_run(server, log, listeners))
    finally:
        with contextlib.suppress(FileNotFoundError):
            suite.home.socket.unlink()
        log.close()


def config_of(front: Front) -> uvicorn.Config:
    """Return how *front* is served."""
    return uvicorn.Config(
        build(front),
        log_config=None,
        access_log=False,
        # Anybody can write X-Forwarded-For: the front believes it of a trusted proxy alone.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        lifespan="off",
    )


class _Server(uvicorn.Server):
    """Ends when it is told to, and lets its caller tidy up: the signal is not raised again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask the server to end on SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


async def _run(server: uvicorn.Server, log: EmbeddedLog, listeners: list[socket.socket]) -> None:
    host, port = listeners[0].getsockname()[:2]
    sealing = asyncio.create_task(_seal(log))
    serving = asyncio.create_task(server.serve(sockets=listeners))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    if server.started:
        print(f"ready http://{host}:{port}", flush=True)  # noqa: T201 - the supervisor reads it
    await serving
    sealing.cancel()


async def _seal(log: EmbeddedLog) -> None:
    while True:
        await asyncio.sleep(SEAL_LOOK)
        await asyncio.to_thread(log.tick)


def _patiently(suite: Suite) -> EmbeddedLog:
    """Open the event store, waiting a little for the process before us to let it go."""
    end = monotonic() + PATIENCE
    while True:
        try:
            return suite.log()
        except LogError:
            if monotonic() > end:
                raise
            pause(0.1)


def _listen(host: str, port: int) -> socket.socket:
    end = monotonic() + PATIENCE
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as taken:
            listener.close()
            if monotonic() > end:
                raise HomeError(f"port {port}: {taken.strerror}") from taken
            pause(0.1)
        else:
            return listener


def _local(path: Path) -> socket.socket:
    """Listen on the home's socket, which only its owner may open."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        with address_of(path) as address:
            listener.bind(address)
    finally:
        os.umask(mask)
    return listener
