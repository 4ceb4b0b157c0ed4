"""Quarantines as a file for nginx's ``map``: no question per request, and it outlives the suite.

A line says whom nginx must not serve, until when (seconds since 1970) and for which effect. nginx
compares the time by itself, so a rule ends on time also where nobody writes the file anew. Limits
and networks are no lines of a map: those need ``/authz``.
"""

import subprocess
from collections.abc import Sequence
from datetime import datetime
from math import floor
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlmodel import Session, col, select

from soc.errors import Unreloaded
from soc.respond.ledger import FOLLOWED, version
from soc.store.tables import Effect

HEAD = "# Written by Commonwatch, ledger version "
LONGEST_RELOAD = 30.0
LONGEST_KEY = 120
"""Longer names are compared one by one: nginx's table of names has a bound for each."""
MAPPED = ("wallet", "account")


def of(session: Session, now: datetime) -> tuple[str, int]:
    """Return the file as it must be now, and how many subjects it holds back."""
    held = select(Effect).where(
        col(Effect.state).in_(FOLLOWED),
        col(Effect.kind) == "quarantine",
        col(Effect.until) > now,
    )
    latest: dict[str, tuple[int, str]] = {}
    for effect in session.exec(held):
        if effect.until and effect.subject.partition(":")[0] in MAPPED:
            end = (floor(effect.until.timestamp()), effect.id)
            latest[effect.subject] = max(end, latest.get(effect.subject, end))
    lines = [f'{_key(name)} "{end} {effect}";' for name, (end, effect) in sorted(latest.items())]
    text = "\n".join([f"{HEAD}{version(session)}: do not edit.", *lines, ""])
    return text, len(lines)


def write(path: Path, text: str) -> None:
    """Put *text* at *path*, whole or not at all; nginx may read it at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
    made = Path(draft.name)
    made.chmod(0o644)
    made.replace(path)


def written(path: Path) -> int | None:
    """Return the ledger's version that the file at *path* is of, or None if there is none."""
    try:
        with path.open() as file:
            first = file.readline(200)
    except OSError:
        return None
    number = first.removeprefix(HEAD).partition(":")[0]
    return int(number) if first.startswith(HEAD) and number.isdigit() else None


def reload(command: Sequence[str]) -> None:
    """Run *command*, which makes nginx read the file; raises Unreloaded."""
    try:
        done = subprocess.run(  # noqa: S603 - the site's own settings name it; no shell reads it
            command, capture_output=True, text=True, timeout=LONGEST_RELOAD, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Unreloaded(f"{command[0]}: {type(failed).__name__}") from failed
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unreloaded(f"{command[0]} ended with {done.returncode}: {last[:300]}")


def _key(subject: str) -> str:
    """Return *subject* as a map finds it: wallets in any case, others only as they are spelt."""
    plain = subject.isascii() and all(sign.isalnum() or sign in ":._-" for sign in subject)
    if subject.startswith("wallet:") and plain and len(subject) <= LONGEST_KEY:
        return f'"{subject}"'
    spelt = "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"\\x{byte:02x}"
        for byte in subject.encode()
    )
    return f'"~^{spelt}$"'
