"""Open what the front door listens on, and read the certificates that it shows."""

import contextlib
import logging
import os
import socket
import ssl
from pathlib import Path

from soc.app.local import address_of as short_address_of
from soc.clock import monotonic, pause
from soc.errors import HomeError
from soc.model.listener import Address, Tls

PATIENCE = 10.0
"""Seconds that a start waits for the port of the process before it."""


def listen(address: Address, *, udp: bool = False) -> socket.socket:
    """Return a socket bound to *address*; raises HomeError if it stays taken."""
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    end = monotonic() + PATIENCE
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    while True:
        listener = socket.socket(family, kind)
        if not udp:  # there it would let two share the address
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as taken:
            listener.close()
            if monotonic() > end:
                raise HomeError(f"port {address.port}: {taken.strerror}") from taken
            pause(0.1)
        else:
            return listener


def local(path: Path) -> socket.socket:
    """Listen on the home's socket, which only its owner may open."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        with short_address_of(path) as address:
            listener.bind(address)
    finally:
        os.umask(mask)
    return listener


def context_of(tls: Tls, home: Path) -> ssl.SSLContext:
    """Return what shows the certificates of *tls*; raises HomeError naming the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    cert, key = home / tls.cert, home / tls.key
    for path in (cert, key, *([home / tls.client_ca] if tls.client_ca else [])):
        if not path.is_file():
            raise HomeError(f"{path}: no such file: write the path of a PEM file in tls")
    try:
        load_into(context, tls, home)
    except (OSError, ValueError) as wrong:
        reason = getattr(wrong, "reason", None) or wrong
        raise HomeError(f"{cert}, {key}: no certificate and key that fit: {reason}") from wrong
    return context


def load_into(context: ssl.SSLContext, tls: Tls, home: Path) -> None:
    """Let *context* show the certificates of *tls*; raises OSError or ValueError."""
    context.load_cert_chain(home / tls.cert, home / tls.key, password=_no_passphrase)
    if tls.client_ca:
        context.load_verify_locations(home / tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED


class Shown:
    """Certificates that are shown, and read anew where their files change: one that was renewed."""

    def __init__(self, tls: Tls, home: Path) -> None:
        self._tls, self._home = tls, home
        self._read = self._written()
        self.context = context_of(tls, home)

    def look(self) -> None:
        """Show what the files hold now to whoever connects from now on.

        What does not fit yet is told once, and the old is shown on.
        """
        written = self._written()
        if written == self._read:
            return
        self._read = written
        try:
            context_of(self._tls, self._home)
            load_into(self.context, self._tls, self._home)
        except (HomeError, OSError, ValueError) as wrong:
            logging.getLogger(__name__).error("the old certificate is shown on: %s", wrong)  # noqa: TRY400 - foreseen

    def _written(self) -> list[tuple[int, int] | None]:
        names = [
            self._tls.cert,
            self._tls.key,
            *([self._tls.client_ca] if self._tls.client_ca else []),
        ]
        return [_stamp(self._home / name) for name in names]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase: store it without, readable by its owner alone")
