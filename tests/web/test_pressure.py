"""Who comes while too much is under way waits a little, and is then told to come again."""

import asyncio
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvicorn

from soc.web.front import Front
from soc.web.server import config_of
from soc.web.turns import Turns

BODY = b'{"create":{}}\n{"@timestamp":"2026-11-23T12:00:00Z"}\n'
Headers = dict[str, dict[str, str]]


class Served:
    """A real server whose only turn can be taken."""

    def __init__(self, front: Front) -> None:
        front.turns = Turns(at_once=1, patience=0.3)
        self._front = front
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._server = uvicorn.Server(config_of(front))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._held: ExitStack | None = None

    def start(self) -> None:
        self._thread.start()
        end = time.monotonic() + 20
        while not self._server.started and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._loop.close()
        self.listener.close()

    def occupy(self) -> None:
        """Take the only turn, as a request that is not over does."""
        asyncio.run_coroutine_threadsafe(self._front.turns._free.acquire(), self._loop).result(5)

    def free(self) -> None:
        """Give the turn back."""
        self._loop.call_soon_threadsafe(self._front.turns._free.release)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server.config.setup_event_loop = lambda: None  # type: ignore[attr-defined]
        self._loop.run_until_complete(self._server.serve(sockets=[self.listener]))


@pytest.fixture
def served(front: Front) -> Iterator[Served]:
    made = Served(front)
    made.start()
    yield made
    made.stop()


def post(served: Served, headers: dict[str, str]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        connection.request("POST", "/src/_bulk", BODY, headers)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer


def health(served: Served) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.request("GET", "/_cat/health")
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_reply_is_held_until_there_is_room(served: Served, tokens: Headers) -> None:
    served.occupy()
    threading.Timer(0.1, served.free).start()
    began = time.monotonic()

    answer = post(served, {**tokens["ingest"], "User-Agent": "vector"})

    assert answer.status == 200
    assert time.monotonic() - began >= 0.1


def test_who_waits_too_long_is_told_when_to_come_again(served: Served, tokens: Headers) -> None:
    served.occupy()

    answer = post(served, {**tokens["ingest"], "User-Agent": "fluent-bit"})

    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    served.free()
    assert post(served, {**tokens["ingest"], "User-Agent": "fluent-bit"}).status == 200


def test_rsyslog_which_names_no_agent_is_hung_up_on_and_finds_the_health_red(
    served: Served, tokens: Headers
) -> None:
    """It drops what gets a status, and sends again what got none."""
    served.occupy()

    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        post(served, tokens["ingest"])

    assert health(served) == 503
    served.free()
    time.sleep(2.1)
    assert health(served) == 200
    assert post(served, tokens["ingest"]).status == 200
