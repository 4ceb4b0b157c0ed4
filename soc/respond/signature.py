"""Who released a playbook: a signature beside its file, made with Ed25519.

What is signed is the digest of what the playbook says, the signer and the moment, as RFC 8785
JSON: comments and layout of the file may change, its meaning may not.
"""

import base64
import os
from datetime import datetime
from pathlib import Path

from pydantic import ConfigDict, SecretStr, ValidationError

from soc.contacts import PersonTarget
from soc.content.digest import canonical
from soc.errors import Illegal, Refused
from soc.model.value import Utc, Value, rfc3339
from soc.settings import RAW_KEY, PublicKey, raw_key

SUFFIX = ".sig"
MAX_BYTES = 16 * 1024


class Signature(Value):
    """The word of *signer* that a playbook with this digest may be used. signature: base64."""

    digest: str
    signer: PersonTarget
    at: Utc
    signature: str

    def holds(self, public: PublicKey) -> bool:
        """Return whether the holder of *public* made it."""
        from cryptography.exceptions import InvalidSignature  # OpenSSL
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        key = Ed25519PublicKey.from_public_bytes(raw_key(public))
        try:
            signature = base64.b64decode(self.signature, validate=True)
            key.verify(signature, _message(self.digest, self.signer, self.at))
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey(Value):
    """A person's key as its file holds it. private: base64, never shown."""

    model_config = ConfigDict(hide_input_in_errors=True)

    signer: PersonTarget
    private: SecretStr

    def public(self) -> PublicKey:
        """Return what settings name: who has it can tell this key's signatures."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # OpenSSL
            Ed25519PrivateKey,
        )

        private = Ed25519PrivateKey.from_private_bytes(self._raw())
        return base64.b64encode(private.public_key().public_bytes_raw()).decode()

    def sign(self, digest: str, at: datetime) -> Signature:
        """Return the signature of a playbook with *digest*."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # OpenSSL
            Ed25519PrivateKey,
        )

        private = Ed25519PrivateKey.from_private_bytes(self._raw())
        made = base64.b64encode(private.sign(_message(digest, self.signer, at))).decode()
        return Signature(digest=digest, signer=self.signer, at=at, signature=made)

    def _raw(self) -> bytes:
        return raw_key(self.private.get_secret_value())


def make_key(signer: str, file: Path) -> SigningKey:
    """Write a new key of *signer* to *file*, for its owner alone; raises Illegal, OSError."""
    private = base64.b64encode(os.urandom(RAW_KEY)).decode()
    try:
        key = SigningKey(signer=signer, private=SecretStr(private))
    except ValidationError as wrong:
        raise Illegal(f"{signer}: write user: and a name, such as user:alice") from wrong
    text = canonical({"private": private, "signer": signer})
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(text + b"\n")
    return key


def read_key(file: Path) -> SigningKey:
    """Return the key in *file*; raises Refused for one that others may read, or that is none."""
    if file.stat().st_mode & 0o077:
        raise Refused(f"{file}: others can read it: chmod 600 {file}")
    try:
        key = SigningKey.model_validate_json(file.read_bytes()[:MAX_BYTES])
        key.public()
    except ValueError as wrong:
        raise Refused(f"{file}: is no key that `soc playbooks key` made") from wrong
    return key


def read_signature(file: Path) -> Signature:
    """Return the signature in *file*; raises Refused."""
    try:
        with file.open("rb") as opened:
            return Signature.model_validate_json(opened.read(MAX_BYTES))
    except ValidationError as wrong:
        hint = "sign the playbook again: soc playbooks sign FILE --key KEY"
        raise Refused(f"is no signature: {hint}") from wrong


def _message(digest: str, signer: str, at: datetime) -> bytes:
    return canonical({"digest": digest, "signer": signer, "at": rfc3339(at)})
