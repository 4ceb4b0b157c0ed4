"""Keep which message reached which channel, so that none is sent twice and none is forgotten."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

from soc.store.locks import alone
from soc.store.tables import Delivery

SENDING, SENT, FAILED, HELD, TOLD = "sending", "sent", "failed", "held", "told"


def lock(session: Session, channel: str) -> None:
    """Let one transaction at a time decide what is sent to *channel*."""
    alone(session, f"delivery to {channel}")


def find(session: Session, key: str, channel: str) -> Delivery | None:
    """Return what became of a message, if anything did."""
    return session.get(Delivery, (key, channel))


def sent_since(session: Session, channel: str, since: datetime, *, urgent: bool) -> int:
    """Return how many messages went to *channel*, digests aside."""
    query = select(func.count()).where(
        col(Delivery.channel) == channel,
        col(Delivery.at) > since,
        col(Delivery.state).in_((SENDING, SENT)),
        col(Delivery.urgent).is_(urgent),
        col(Delivery.is_digest).is_(False),
    )
    return session.exec(query).one()


def waiting(session: Session, channel: str) -> Sequence[Delivery]:
    """Return the messages that wait for a digest, oldest first."""
    query = select(Delivery).where(col(Delivery.channel) == channel, col(Delivery.state) == HELD)
    return session.exec(query.order_by(col(Delivery.at), col(Delivery.key))).all()


def waiting_since(session: Session) -> Sequence[tuple[str, datetime]]:
    """Return each channel that messages wait for, and since when."""
    query = select(Delivery.channel, func.min(Delivery.at)).where(col(Delivery.state) == HELD)
    grouped = query.group_by(col(Delivery.channel)).order_by(col(Delivery.channel))
    return [(channel, since) for channel, since in session.exec(grouped).all()]
