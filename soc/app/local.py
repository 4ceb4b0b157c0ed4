"""Reach the front door of a home through its socket, when one is running."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from soc.errors import Refused

PATIENCE = 60.0
LONGEST = 100
"""Bytes of a socket's path that every kernel takes."""


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Give a short address of the socket at *path*: kernels take no path of any length."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class LocalConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        opened = socket.socket(socket.AF_UNIX)
        try:
            opened.settimeout(PATIENCE)
            with address_of(self._path) as address:
                opened.connect(address)
        except OSError:
            opened.close()
            raise
        self.sock = opened


def is_served(path: Path) -> bool:
    """Return whether a front door answers at *path*."""
    try:
        connection = LocalConnection(path)
        connection.connect()
        connection.close()
    except OSError:
        return False
    return True


def post(path: Path, target: str, body: bytes, kind: str = "application/json") -> dict[str, Any]:
    """Return the answer of the front door; raises Refused with its reason."""
    connection = LocalConnection(path)
    try:
        connection.request("POST", target, body, {"Content-Type": kind})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read() or b"{}")
    finally:
        connection.close()
    if response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
        raise Refused(str(answer.get("reason") or answer.get("error")))
    return answer
