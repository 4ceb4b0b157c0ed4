"""Rounds, projects and gifts, as the platform's events tell them.

A projection: it can be made again from the events, every step is idempotent, and an event that the
chain took back takes its gift back. Where the platform and the chain say different things of one
transaction, the chain is right. An event that says nothing usable changes nothing. Amounts are
integer text in the token's smallest unit.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from soc.ingest.fields import find
from soc.model.event import Batch, document_of
from soc.model.value import bounded, rfc3339, whole
from soc.store.tables import Donation, Project, Round

REMOVED = "removed"


def project(session: Session, batch: Batch) -> int:
    """Put the funding events of *batch* into rows; return how many there were."""
    told = batch.only("dataset", tuple(APPLY))
    for dataset, ts, raw in zip(*map(told.column, ("dataset", "ts", "raw")), strict=True):
        APPLY[dataset](session, document_of(raw), ts)
    return len(told)


def rounds(session: Session) -> list[dict[str, Any]]:
    """Return every round with what was given in it."""
    return [summary(session, row) for row in session.exec(select(Round).order_by(col(Round.id)))]


def summary(session: Session, row: Round) -> dict[str, Any]:
    """Return a round with what was given in it."""
    return _told(row, _gifts(session, row.id))


def whole_round(session: Session, round_id: str) -> dict[str, Any] | None:
    """Return one round with its projects, or None."""
    row = session.get(Round, round_id)
    if row is None:
        return None
    projects = select(Project).where(col(Project.round) == round_id).order_by(col(Project.id))
    gifts = _gifts(session, round_id)
    to: defaultdict[str, list[_Given]] = defaultdict(list)
    for gift in gifts:
        to[gift.project].append(gift)
    listed = [
        {
            "id": one.id,
            "name": one.name,
            "owner": one.owner,
            "gifts": len(to[one.id]),
            "wallets": len({gift.wallet for gift in to[one.id]}),
            "amount": _sum(to[one.id]),
        }
        for one in session.exec(projects)
    ]
    return {**_told(row, gifts), "projects": listed}


class _Given(NamedTuple):
    """A gift as it is summed."""

    project: str
    wallet: str
    amount: str
    on_chain: datetime | None


def _gifts(session: Session, round_id: str) -> list[_Given]:
    columns = (Donation.project, Donation.wallet, Donation.amount, col(Donation.on_chain))
    found = session.exec(select(*columns).where(col(Donation.round) == round_id))
    return [_Given(*row) for row in found]


def _told(row: Round, gifts: list[_Given]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "phase": row.phase,
        "pool": row.pool,
        "opened": rfc3339(row.opened) if row.opened else None,
        "closed": rfc3339(row.closed) if row.closed else None,
        "gifts": len(gifts),
        "on_chain": sum(gift.on_chain is not None for gift in gifts),
        "wallets": len({gift.wallet for gift in gifts}),
        "amount": _sum(gift for gift in gifts if gift.on_chain),
    }


def _sum(gifts: Iterable[_Given]) -> str:
    return str(sum(whole(gift.amount) or 0 for gift in gifts))


def _round(session: Session, document: Mapping[str, Any], ts: datetime) -> None:
    if not (key := _text(find(document, "funding.round.id"))):
        return
    row = session.get(Round, key) or Round(id=key)
    row.name = _text(find(document, "funding.round.name")) or row.name
    row.phase = _text(find(document, "funding.round.phase")) or row.phase
    row.pool = _amount(find(document, "funding.round.pool")) or row.pool
    if find(document, "event.action") == "round-closed":
        row.closed = ts
    else:
        row.opened = row.opened or ts
    session.add(row)


def _project(session: Session, document: Mapping[str, Any], _ts: datetime) -> None:
    key = (_text(find(document, "funding.round.id")), _text(find(document, "funding.project.id")))
    if not all(key):
        return
    row = session.get(Project, key) or Project(round=key[0], id=key[1])
    row.name = _text(find(document, "funding.project.name")) or row.name
    row.owner = _text(find(document, "funding.project.owner")) or row.owner
    session.add(row)


def _announced(session: Session, document: Mapping[str, Any], ts: datetime) -> None:
    if told := _gift(document):
        row = session.get(Donation, told.tx_hash) or told
        row.announced = ts
        session.add(row)


def _on_chain(session: Session, document: Mapping[str, Any], ts: datetime) -> None:
    if find(document, "chain.finality") == REMOVED:
        _take_back(session, document)
    elif told := _gift(document):
        row = session.get(Donation, told.tx_hash) or told
        row.round, row.project = told.round or row.round, told.project or row.project
        row.wallet, row.amount = told.wallet, told.amount
        row.on_chain = ts
        session.add(row)


def _take_back(session: Session, document: Mapping[str, Any]) -> None:
    """Make the gift one that was only announced; without an announcement there is none."""
    row = session.get(Donation, _hash(document))
    if row is None:
        return
    row.on_chain = None
    if row.announced is None:
        session.delete(row)
        session.flush()
    else:
        session.add(row)


def _gift(document: Mapping[str, Any]) -> Donation | None:
    """Return the gift that *document* tells of; None if it lacks transaction, wallet or amount."""
    row = Donation(
        tx_hash=_hash(document),
        round=_text(find(document, "funding.round.id")),
        project=_text(find(document, "funding.project.id")),
        wallet=_text(find(document, "wallet.address"), fold=True),
        amount=_amount(find(document, "funding.amount.raw")),
    )
    return row if row.tx_hash and row.wallet and row.amount else None


def _hash(document: Mapping[str, Any]) -> str:
    return _text(find(document, "chain.tx.hash"), fold=True)


def _text(value: object, *, fold: bool = False) -> str:
    """Return *value* as a store takes it, or no text if it is none."""
    return bounded(str(value), fold=fold) if isinstance(value, str | int) else ""


def _amount(value: object) -> str:
    amount = whole(_text(value))
    return "" if amount is None else str(amount)


APPLY: Mapping[str, Callable[[Session, Mapping[str, Any], datetime], None]] = MappingProxyType(
    {
        "funding.round": _round,
        "funding.project": _project,
        "funding.donation": _announced,
        "chain.donation": _on_chain,
    }
)
