"""Open what the front door listens on, and read the certificates that it shows."""

import contextlib
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
        context.load_cert_chain(cert, key, password=_no_passphrase)
        if tls.client_ca:
            context.load_verify_locations(home / tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as wrong:
        reason = getattr(wrong, "reason", None) or wrong
        raise HomeError(f"{cert}, {key}: no certificate and key that fit: {reason}") from wrong
    return context


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase: store it without, readable by its owner alone")
