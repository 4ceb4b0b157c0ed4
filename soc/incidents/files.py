"""Files that belong to an incident, kept under the digest of their bytes."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from sqlmodel import Session, col, select

from soc.errors import Illegal, NotFound
from soc.incidents import lifecycle
from soc.model.value import bounded
from soc.store.locks import put_new
from soc.store.tables import FileBody, IncidentFile

LARGEST = 10_000_000
MOST = 100
"""Files of one incident."""


def attach(
    session: Session,
    number: int,
    name: str,
    media_type: str,
    body: bytes,
    actor: str,
    now: datetime,
) -> IncidentFile:
    """Keep *body* with an incident; the same bytes are kept once, whatever they are called.

    Raises Illegal for what is empty, larger than 10 MB, or one file too many.
    """
    incident = lifecycle.held(session, number)
    if not 0 < len(body) <= LARGEST:
        raise Illegal(f"a file has at least one byte and at most {LARGEST:,}")
    if len(files_of(session, [number])) >= MOST:
        raise Illegal(f"an incident has at most {MOST} files: put more into an archive")
    digest = f"sha256:{sha256(body).hexdigest()}"
    put_new(session, FileBody(digest=digest, body=body))
    row = IncidentFile(
        incident=number,
        name=bounded(name.strip() or "file"),
        media_type=bounded(media_type),
        size=len(body),
        digest=digest,
        at=now,
        by=actor,
    )
    session.add(row)
    session.flush()
    lifecycle.acknowledge(session, number, actor, now)
    lifecycle.told(session, incident, "incident.attach", actor, now, f"{row.name} {digest}")
    return row


def read(session: Session, number: int, file: int) -> tuple[IncidentFile, bytes]:
    """Return a file and its bytes, which are what they were; raises NotFound, Illegal."""
    row = session.get(IncidentFile, file)
    if row is None or row.incident not in lifecycle.family(session, number):
        raise NotFound(f"file of INC-{number}", str(file))
    body = session.get_one(FileBody, row.digest).body
    if f"sha256:{sha256(body).hexdigest()}" != row.digest:
        raise Illegal(f"{row.name} is no longer what was attached: its digest differs")
    return row, body


def files_of(session: Session, numbers: Sequence[int]) -> Sequence[IncidentFile]:
    """Return the files of incidents, in the order they were attached."""
    query = select(IncidentFile).where(col(IncidentFile.incident).in_(numbers))
    return session.exec(query.order_by(col(IncidentFile.id))).all()
