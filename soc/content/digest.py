"""Name a thing by what it is."""

import hashlib

import rfc8785


def digest_of(plain: object) -> str:
    """Return ``sha256:`` and the hash of *plain* as RFC 8785 JSON: layout does not matter."""
    return "sha256:" + hashlib.sha256(canonical(plain)).hexdigest()


def digest_of_bytes(data: bytes) -> str:
    """Return ``sha256:`` and the hash of *data*."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(plain: object) -> bytes:
    """Return *plain* as RFC 8785 JSON: the same value gives the same bytes everywhere."""
    return rfc8785.dumps(plain)  # type: ignore[arg-type]  # any JSON value; its own type is narrower
