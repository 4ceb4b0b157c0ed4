"""Reach the front door of a home through its socket, when one is running."""

import json
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
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


def login() -> str:
    """Return who is logged in on this machine: what the kernel says, not the environment."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


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
    except (OSError, HTTPException, ValueError) as broken:
        raise Refused(f"{path}: the front door broke off: {broken or type(broken)}") from broken
    finally:
        connection.close()
    if response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
        said = answer.get("reason") or answer.get("error") or answer.get("detail")
        raise Refused(str(said or f"the front door answered {response.status}"))
    return answer
