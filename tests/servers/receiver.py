"""A real web server on loopback that takes, refuses, hangs, trickles and redirects."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Taken(NamedTuple):
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came in, and what is answered. answers: by path, a status with headers and a body."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def at(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def paths(self) -> list[str]:
        return [one.path for one in self.taken]


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.taken.append(Taken(self.command, self.path, headers, body))
        if path.startswith("/hang"):
            self.receiver.over.wait(20)
            return
        if path.startswith("/trickle"):
            self._trickle()
            return
        status, more, text = self.receiver.answers.get(path, (200, {}, b"{}"))
        self.send_response(status)
        for name, value in {"content-length": str(len(text)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _trickle(self) -> None:
        """Send a head that never ends, a byte at a time: no single read ever waits long."""
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
            while not self.receiver.over.is_set():
                self.wfile.write(b"a")
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            return

    def __getattr__(self, name: str) -> object:
        """Answer every method in the same way."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Give a receiver on a free port of loopback, behind *tls* if there is any."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()
