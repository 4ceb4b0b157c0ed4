"""Remember which signed requests were taken, so that none is taken twice."""

from datetime import datetime

from sqlmodel import Session, col, delete

from soc.store.tables import HookSeen


def is_known(session: Session, hook: str, digest: str) -> bool:
    """Return whether *hook* brought the request that *digest* names before."""
    return session.get(HookSeen, (hook, digest)) is not None


def remember(session: Session, hook: str, digest: str, now: datetime, since: datetime) -> None:
    """Keep that the request was taken; forget those of *hook* from before *since*."""
    session.exec(delete(HookSeen).where(col(HookSeen.hook) == hook, col(HookSeen.at) < since))
    session.merge(HookSeen(hook=hook, digest=digest, at=now))
