"""Pin playbooks, and queue runs of what was pinned."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session

from soc.audit import Act, record
from soc.respond.parameter import fill
from soc.respond.playbook import Playbook
from soc.store.locks import put_new
from soc.store.tables import PlaybookVersion, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run to be queued. offered: what ``incident`` is; given: inputs by name.

    parent: the run and the step that wait for it.
    """

    dedup: str
    incident: int | None
    offered: Mapping[str, Any] | None
    given: Mapping[str, Any]
    requested_by: str
    mode: str = "live"
    parent: tuple[int, str] | None = None


def queue(session: Session, playbook: Playbook, wanted: Wanted, now: datetime) -> int:
    """Queue a run of *playbook* as it is now; return its number.

    Raises Illegal for inputs that do not fit.
    """
    context = {"incident": wanted.offered}
    parent, path = wanted.parent or (None, None)
    run = Run(
        dedup=wanted.dedup,
        kind="playbook",
        playbook=playbook.name,
        digest=pin(session, playbook, now),
        incident=wanted.incident,
        mode="dry_run" if "dry_run" in (wanted.mode, playbook.mode) else "live",
        inputs_json=orjson.dumps(wanted.offered).decode(),
        parameters_json=orjson.dumps(fill(playbook.inputs, wanted.given, context)).decode(),
        parent=parent,
        parent_path=path,
        state="queued",
        requested_by=wanted.requested_by,
        created=now,
    )
    session.add(run)
    session.flush()
    assert run.id is not None  # noqa: S101 - it was just given one
    actor = wanted.requested_by
    act = Act(at=now, actor=actor, action="run.queue", object=f"run:{run.id}", reason=wanted.dedup)
    record(session, act)
    return run.id


def pin(session: Session, playbook: Playbook, now: datetime) -> str:
    """Keep *playbook* as it is now, and who released it; return its digest."""
    digest, signature = playbook.digest, playbook.signature
    signed = signature.model_dump_json() if signature else None
    kept = session.get(PlaybookVersion, digest)
    if kept is None:
        put_new(
            session,
            PlaybookVersion(
                digest=digest,
                slug=playbook.name,
                version=playbook.version,
                author=playbook.author,
                signer=signature.signer if signature else None,
                signature=signed,
                content_json=orjson.dumps(playbook.plain()).decode(),
                seen=now,
            ),
        )
    elif signature and kept.signer is None:
        kept.signer, kept.signature = signature.signer, signed
        session.add(kept)
    return digest
