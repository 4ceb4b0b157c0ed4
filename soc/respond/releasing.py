"""Decide whether a playbook was released: signed by somebody known who did not write it."""

from collections.abc import Sequence
from pathlib import Path

from soc.errors import Illegal, Refused
from soc.respond.playbook import Playbook
from soc.respond.signature import SUFFIX, Signature, SigningKey, read_signature
from soc.settings import Respond


def release(
    playbook: Playbook, path: Path, beside: Sequence[Path], policy: Respond
) -> tuple[Playbook, str]:
    """Return *playbook*, read from *path*, with the signature that counts, and what is wrong.

    The signature lies beside the file, or under its name in one of the folders *beside*. One that
    does not hold is wrong even where none is required.
    """
    name = f"{path.name}{SUFFIX}"
    places = (path.with_name(name), *(folder / name for folder in beside))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        missing = f"is not signed, and respond.require_signed asks for it: see {name}"
        return playbook, missing if policy.require_signed else ""
    try:
        signature = read_signature(found)
    except (Refused, OSError) as unreadable:
        return playbook, f"{found.name}: {unreadable}"
    if wrong := _broken(signature, playbook, policy):
        return playbook, f"{found.name}: {wrong}"
    if doubt := _doubt(signature, playbook, policy):
        return playbook, f"{found.name}: {doubt}" if policy.require_signed else ""
    return playbook.released(signature), ""


def require_other(playbook: Playbook, key: SigningKey) -> None:
    """Raise Illegal if the holder of *key* wrote *playbook*."""
    if playbook.author == key.signer:
        raise Illegal(f"{key.signer} wrote {playbook.name}: somebody else releases it")


def _broken(signature: Signature, playbook: Playbook, policy: Respond) -> str:
    if signature.digest != playbook.digest:
        return f"{signature.signer} signed another content: it was changed, so sign it again"
    known = policy.signers.get(signature.signer)
    if known and not signature.holds(known):
        return f"the signature is not by the key of {signature.signer}"
    return ""


def _doubt(signature: Signature, playbook: Playbook, policy: Respond) -> str:
    """Return why *signature*, though it may hold, is nobody's word here."""
    if signature.signer not in policy.signers:
        return f"respond.signers knows no {signature.signer}"
    if signature.signer == playbook.author:
        return f"{signature.signer} wrote it: somebody else releases it"
    return ""
