"""Effects in force, as the tests of the ledger and of edges make them."""

from datetime import datetime, timedelta

from sqlmodel import Session

from soc.respond import ledger
from soc.store.tables import Effect


def enforce(
    session: Session,
    name: str,
    now: datetime,
    *,
    subject: str = "wallet:0xa",
    kind: str = "quarantine",
    lasts: timedelta = timedelta(hours=1),
    **more: object,
) -> Effect:
    """Put an effect in force from *now* on."""
    effect = Effect(
        id=name, action="wallet.quarantine", subject=subject, kind=kind, state="proposed",
        created=now, until=now + lasts, **more,
    )  # fmt: skip
    ledger.enforce(session, effect, now)
    return session.get_one(Effect, name)
