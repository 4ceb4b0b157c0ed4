"""Say whether a request was signed by who knows the secret, lately: HMAC-SHA256 of the raw body."""

import base64
import binascii
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from string import Formatter
from typing import NamedTuple

from soc.errors import NotAuthenticated
from soc.inputs import Hook

LONGEST_STAMP = 16
LONGEST_HEADER = 4_096
MOST_SIGNATURES = 8
"""Signatures of one request that are looked at: several are sent while a secret is changed."""


class Signed(NamedTuple):
    """A request whose signature is right. digest: names it. at: when it was signed, or now."""

    digest: str
    at: datetime


def verify(hook: Hook, headers: Mapping[str, str], body: bytes, now: datetime) -> Signed:
    """Return what names the request; raises NotAuthenticated saying what is missing or wrong.

    headers: by lower-case name.
    """
    timestamp, at = _timestamp(hook, headers, now)
    nonce = _header(headers, hook.nonce) if hook.nonce else ""
    message = b"".join(_message(hook.signed, timestamp, nonce, body))
    wanted = hmac.digest(hook.secret.get_secret_value().encode(), message, sha256)
    given = list(_given(hook, _header(headers, hook.signature)))
    # All are compared, each in a time that does not depend on where it differs.
    if not sum(hmac.compare_digest(wanted, one) for one in given):
        raise NotAuthenticated(f"{hook.signature} is not the signature of this body")
    return Signed(sha256(wanted).hexdigest(), at)


def sign(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers that sign *body*, as *verify* expects them of a hook out of the box."""
    timestamp = str(int(now.timestamp()))
    message = f"{timestamp}.".encode() + body
    signature = hmac.new(secret.encode(), message, sha256).hexdigest()
    return {"X-Soc-Timestamp": timestamp, "X-Soc-Signature": f"sha256={signature}"}


def _timestamp(hook: Hook, headers: Mapping[str, str], now: datetime) -> tuple[str, datetime]:
    if hook.timestamp is None:
        return "", now
    parts = _parts(_header(headers, hook.timestamp), hook.timestamp_prefix)
    text = next(parts, "")
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_STAMP):
        raise NotAuthenticated(f"{hook.timestamp} holds no seconds since 1970")
    try:
        at = datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError) as wrong:
        raise NotAuthenticated(f"{hook.timestamp} holds no seconds since 1970") from wrong
    if abs(at - now) > hook.window:
        seconds = hook.window.total_seconds()
        raise NotAuthenticated(f"{hook.timestamp} is more than {seconds:.0f} s from our clock")
    return text, at


def _message(signed: str, timestamp: str, nonce: str, body: bytes) -> Iterator[bytes]:
    known = {"timestamp": timestamp.encode(), "nonce": nonce.encode(), "body": body}
    for literal, name, _, _ in Formatter().parse(signed):
        yield literal.encode()
        if name is not None:
            yield known[name]


def _given(hook: Hook, header: str) -> Iterator[bytes]:
    for part, _ in zip(_parts(header, hook.prefix), range(MOST_SIGNATURES), strict=False):
        try:
            yield bytes.fromhex(part) if hook.encoding == "hex" else base64.b64decode(part)
        except (ValueError, binascii.Error):
            continue  # a signature of another kind beside ours


def _parts(header: str, prefix: str) -> Iterator[str]:
    """Yield what follows *prefix* in a header that may hold several, as ``t=1,v1=ab,v1=cd``."""
    separator = " " if "," in prefix else ","
    for part in header.split(separator):
        stripped = part.strip()
        if stripped.startswith(prefix):
            yield stripped.removeprefix(prefix)


def _header(headers: Mapping[str, str], name: str) -> str:
    given = headers.get(name.lower(), "")
    if not given or len(given) > LONGEST_HEADER:
        raise NotAuthenticated(f"send the header {name}")
    return given
