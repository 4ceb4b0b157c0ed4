"""Serve the front door: on its addresses for others, on the home's socket for this machine."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from pydantic import ValidationError
from starlette.types import ASGIApp

from soc.app.health import Health
from soc.app.suite import Suite
from soc.clock import monotonic, pause
from soc.errors import HomeError, LogError, StoreError
from soc.logs.port import OpenLog
from soc.model.listener import Address, Area, Listener, unsafe
from soc.settings import Web
from soc.web import inputs, sockets
from soc.web.app import build
from soc.web.doors import Door
from soc.web.front import Front
from soc.web.protocol import Protocol

GARBAGE_AFTER = 50_000
"""New objects after which garbage is looked for; a batch alone makes thousands."""
TURN = 0.0005
"""Seconds after which a thread lets another one go on; Python's own ten times as many add up, for
a batch asks for its turn again after each write and each call that needs none."""
SEAL_LOOK = 1.0
RENEW_LOOK = 2.0
REMEMBER_EVERY = 10.0
"""Seconds between two writes of how far the sources have come: a kill loses no more."""


def serve(suite: Suite, host: str | None = None, port: int | None = None) -> None:
    """Serve until told to stop; prints ``ready http://…`` for each address when all answer.

    host, port: instead of the listeners in settings, one there. Raises HomeError for an address
    that is taken or must not be served in the clear, and for certificates that cannot be read.
    """
    listeners = listeners_of(suite.settings.web, host, port)
    for one in listeners:
        has_proxy = bool(suite.settings.web.trusted_proxy)
        if reason := unsafe(one.address, has_tls=one.tls is not None, has_proxy=has_proxy):
            raise HomeError(reason)
    _ = suite.classify  # a broken policy of retention must stop the start, not the first event
    shown = [sockets.Shown(one.tls, suite.home.path) if one.tls else None for one in listeners]
    log = _patiently(suite)
    try:
        front = Front(suite, log)
        opened = [sockets.listen(one.address) for one in listeners]
        with asyncio.Runner(loop_factory=_loop) as runner:
            runner.run(_run(front, listeners, shown, opened, inputs.opened(front)))
    finally:
        with contextlib.suppress(FileNotFoundError):
            suite.home.socket.unlink()
        log.close()


def listeners_of(
    web: Web, host: str | None = None, port: int | None = None
) -> tuple[Listener, ...]:
    """Return where *web* listens; *host* or *port* put one listener in the place of all."""
    if web.listeners and host is None and port is None:
        return web.listeners
    address = Address(host or web.host, web.port if port is None else port)
    try:
        return (Listener(bind=str(address)),)
    except ValidationError as wrong:
        raise HomeError(f"{address}: {wrong.errors(include_url=False)[0]['msg']}") from wrong


def config_of(
    front: Front, app: ASGIApp | None = None, context: ssl.SSLContext | None = None
) -> uvicorn.Config:
    """Return how *front* is served, by *app* if it is built already."""
    return uvicorn.Config(
        app or build(front),
        http=Protocol,
        log_config=None,
        access_log=False,
        # Anybody can write X-Forwarded-For: the front believes it of a trusted proxy alone.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        lifespan="off",
        ssl_context_factory=(lambda *_: context) if context else None,
    )


def settle() -> None:
    """Let nothing hold up requests: garbage is looked for seldom, and threads take short turns."""
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    sys.setswitchinterval(TURN)


def _loop() -> asyncio.AbstractEventLoop:
    """Return the fastest loop there is; uvloop has no wheels for Windows."""
    try:
        import uvloop  # an optional dependency, by platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Server(uvicorn.Server):
    """Ends when it is told to; signals are for all servers of the process, not for each."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def _run(
    front: Front,
    listeners: Sequence[Listener],
    shown: Sequence[sockets.Shown | None],
    opened: Sequence[socket.socket],
    syslog: Sequence[inputs.Opened],
) -> None:
    app = build(front)
    settle()
    taking = inputs.Inputs(front, syslog)
    parts = [
        (_Server(config_of(front, Door(app, one.serve), tls.context if tls else None)), listening)
        for one, tls, listening in zip(listeners, shown, opened, strict=True)
    ]
    whole = _Server(config_of(front, Door(app, Area)))
    parts.append((whole, sockets.local(front.suite.home.socket)))
    _end_on_signal([server for server, _ in parts])
    serving = [asyncio.create_task(server.serve(sockets=[on])) for server, on in parts]
    certificates = [tls for tls in (*shown, *(one.shown for one in syslog)) if tls]
    aside = [
        asyncio.create_task(one) for one in (_seal(front), _remember(front), _renew(certificates))
    ]
    while not all(server.started for server, _ in parts):
        if any(task.done() for task in serving):
            _end([server for server, _ in parts])
            break
        await asyncio.sleep(0.01)
    else:
        await taking.start()
        aside.append(asyncio.create_task(taking.watch()))
        _tell(listeners, opened, syslog)
    await asyncio.wait([*serving, *aside], return_when=asyncio.FIRST_COMPLETED)
    _end([server for server, _ in parts])
    await asyncio.gather(*serving)
    await taking.stop()
    await asyncio.to_thread(_flush, front)
    for task in aside:
        if task.done():
            task.result()
        task.cancel()


def _end(servers: Sequence[uvicorn.Server]) -> None:
    for server in servers:
        server.should_exit = True


def _end_on_signal(servers: Sequence[uvicorn.Server]) -> None:
    """End all *servers* on SIGTERM and SIGINT; at the second SIGINT without waiting."""

    def end(number: int, _frame: object) -> None:
        for server in servers:
            server.handle_exit(number, None)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def _tell(
    listeners: Sequence[Listener],
    opened: Sequence[socket.socket],
    syslog: Sequence[inputs.Opened],
) -> None:
    """Print a line for each address; whoever starts the suite reads them."""
    for one, listening in zip(listeners, opened, strict=True):
        scheme = "https" if one.tls else "http"
        address = Address(*listening.getsockname()[:2])
        print(f"ready {scheme}://{address}", flush=True)  # noqa: T201 - a result
    for input_ in syslog:
        print(f"ready {input_.address}", flush=True)  # noqa: T201 - a result


async def _seal(front: Front) -> None:
    health = Health(front.suite, front.log)
    while True:
        await asyncio.sleep(SEAL_LOOK)
        await asyncio.to_thread(front.log.tick)
        await asyncio.to_thread(_look, health)


def _look(health: Health) -> None:
    try:
        health.look()
    except StoreError as away:
        logging.getLogger(__name__).warning("the event store is watched, not told of: %s", away)


async def _renew(certificates: Sequence[sockets.Shown]) -> None:
    while True:
        await asyncio.sleep(RENEW_LOOK)
        for shown in certificates:
            shown.look()


async def _remember(front: Front) -> None:
    while True:
        await asyncio.sleep(REMEMBER_EVERY)
        await asyncio.to_thread(_flush, front)


def _flush(front: Front) -> None:
    try:
        front.sources.flush()
    except StoreError as away:
        logging.getLogger(__name__).warning("sources are counted, not kept: %s", away)


def _patiently(suite: Suite) -> OpenLog:
    """Open the event store, waiting a little for the process before us to let it go."""
    end = monotonic() + sockets.PATIENCE
    while True:
        try:
            return suite.log()
        except LogError:
            if monotonic() > end:
                raise
            pause(0.1)
