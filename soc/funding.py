"""Rounds, projects and gifts, as the platform's events tell them.

A projection: it can be made again from the events, every step is idempotent, and an event that the
chain took back takes its gift back. Amounts are integer text in the token's smallest unit.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import orjson
from sqlmodel import Session, col, select

from soc.model.event import Batch
from soc.store.tables import Donation, Project, Round

REMOVED = "removed"


def project(session: Session, batch: Batch) -> int:
    """Put the funding events of *batch* into rows; return how many there were."""
    rows = zip(batch.column("dataset"), batch.column("ts"), batch.column("raw"), strict=True)
    seen = 0
    for dataset, ts, raw in rows:
        if (apply := APPLY.get(dataset)) is not None:
            apply(session, orjson.loads(raw), ts)
            seen += 1
    return seen


def rounds(session: Session) -> list[dict[str, Any]]:
    """Return every round with what was given in it."""
    return [_summary(session, row) for row in session.exec(select(Round).order_by(col(Round.id)))]


def whole_round(session: Session, round_id: str) -> dict[str, Any] | None:
    """Return one round with its projects, or None."""
    row = session.get(Round, round_id)
    if row is None:
        return None
    projects = select(Project).where(col(Project.round) == round_id).order_by(col(Project.id))
    gifts = session.exec(select(Donation).where(col(Donation.round) == round_id)).all()
    listed = [
        {
            "id": one.id,
            "name": one.name,
            "owner": one.owner,
            "gifts": sum(gift.project == one.id for gift in gifts),
            "wallets": len({gift.wallet for gift in gifts if gift.project == one.id}),
            "amount": str(sum(int(gift.amount) for gift in gifts if gift.project == one.id)),
        }
        for one in session.exec(projects)
    ]
    return {**_summary(session, row), "projects": listed}


def _summary(session: Session, row: Round) -> dict[str, Any]:
    gifts = session.exec(select(Donation).where(col(Donation.round) == row.id)).all()
    return {
        "id": row.id,
        "name": row.name,
        "phase": row.phase,
        "pool": row.pool,
        "gifts": len(gifts),
        "on_chain": sum(gift.on_chain is not None for gift in gifts),
        "wallets": len({gift.wallet for gift in gifts}),
        "amount": str(sum(int(gift.amount) for gift in gifts if gift.on_chain)),
    }


def _round(session: Session, document: Mapping[str, Any], ts: datetime) -> None:
    about = _at(document, "funding.round")
    row = session.get(Round, str(about.get("id"))) or Round(id=str(about.get("id")))
    row.name = str(about.get("name") or row.name)
    row.phase = str(about.get("phase") or row.phase)
    row.pool = str(about.get("pool") or row.pool)
    if _at(document, "event").get("action") == "round-closed":
        row.closed = ts
    else:
        row.opened = row.opened or ts
    session.add(row)


def _project(session: Session, document: Mapping[str, Any], _ts: datetime) -> None:
    about = _at(document, "funding.project")
    key = (str(_at(document, "funding.round").get("id")), str(about.get("id")))
    row = session.get(Project, key) or Project(round=key[0], id=key[1])
    row.name, row.owner = str(about.get("name") or row.name), str(about.get("owner") or row.owner)
    session.add(row)


def _announced(session: Session, document: Mapping[str, Any], ts: datetime) -> None:
    if row := _gift(session, document):
        row.announced = ts
        session.add(row)


def _on_chain(session: Session, document: Mapping[str, Any], ts: datetime) -> None:
    if row := _gift(session, document):
        row.on_chain = None if _at(document, "chain").get("finality") == REMOVED else ts
        session.add(row)


def _gift(session: Session, document: Mapping[str, Any]) -> Donation | None:
    key = str(_at(document, "chain.tx").get("hash") or "").lower()
    amount = str(_at(document, "funding.amount").get("raw") or "")
    if not key or not (amount.isascii() and amount.isdigit()):
        return None
    return session.get(Donation, key) or Donation(
        tx_hash=key,
        round=str(_at(document, "funding.round").get("id")),
        project=str(_at(document, "funding.project").get("id")),
        wallet=str(_at(document, "wallet").get("address")).lower(),
        amount=amount,
    )


def _at(document: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return the object at *path*, nested or with dotted keys; empty if there is none."""
    found: object = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        return found
    return {k.removeprefix(f"{path}."): v for k, v in document.items() if k.startswith(f"{path}.")}


APPLY: Mapping[str, Callable[[Session, Mapping[str, Any], datetime], None]] = MappingProxyType(
    {
        "funding.round": _round,
        "funding.project": _project,
        "funding.donation": _announced,
        "chain.donation": _on_chain,
    }
)
