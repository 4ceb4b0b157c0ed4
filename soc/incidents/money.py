"""Money at risk: what the wallets of an incident move in the matching of a round.

The round is matched twice, as it stands and without these wallets. What favoured projects gain by
them is at risk; its share of the pool says how bad it is. Decided first, written later: only
*settle* changes anything.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session, col, or_, select

from soc.errors import Unmatched
from soc.funding.book import Book, rounds_of
from soc.funding.matching import Moved
from soc.incidents.lifecycle import OPEN, held
from soc.incidents.severity import raise_to
from soc.model.value import EntityKind, Severity, Value, rfc3339
from soc.store.tables import Incident, IncidentEntity, IncidentMoney
from soc.triage import Money

MOST_WALLETS = 20_000
MOST_ROUNDS = 5
SHORT = {"at_risk", "share", "round", "pool", "reason"}
"""What lists show of it."""
SHOWN = 100
"""Projects that are kept, those that change most."""
VISIBLE = 0.001
"""Smaller shares are not told from each other."""
WALLET = f"{EntityKind.WALLET}:"


class Changed(Value):
    """A project, with and without the wallets: who gave, of them suspects, and whole units."""

    project: str
    name: str
    donors: int
    suspects: int
    counted: str
    left_out: str
    change: str


class Elsewhere(Value):
    """What the same wallets move in another round."""

    round: str
    at_risk: str
    share: float


class Assessment(Value):
    """What is at risk in the round that is hit worst, or the reason why nothing can be said.

    at_risk: what favoured projects gain, in the token's smallest unit; None with a reason. share:
    of the pool, the larger of gains and losses. wallets: of the incident; suspects: those that
    gave; donors: all that gave. more: projects that change, beyond those listed.
    """

    reason: str = ""
    at_risk: str | None = None
    lost: str = "0"
    share: float = 0.0
    round: str = ""
    name: str = ""
    pool: str = "0"
    matching: str = ""
    wallets: int = 0
    suspects: int = 0
    donors: int = 0
    projects: tuple[Changed, ...] = ()
    more: int = 0
    elsewhere: tuple[Elsewhere, ...] = ()


def due(session: Session, settings: Money, now: datetime, limit: int) -> list[int]:
    """Return open incidents that changed since they were assessed, or were long ago."""
    query = select(Incident.id).where(
        col(Incident.state).in_(OPEN),
        col(Incident.operations).is_(False),
        or_(
            col(Incident.assessed).is_(None),
            col(Incident.changed) > col(Incident.assessed),
            col(Incident.assessed) <= now - settings.again,
        ),
    )
    order = (col(Incident.assessed).is_not(None), col(Incident.assessed), col(Incident.id))
    return [number or 0 for number in session.exec(query.order_by(*order).limit(limit))]


def wallets_of(session: Session, number: int) -> frozenset[str]:
    """Return the wallets of an incident that are suspected, as gifts name them."""
    query = select(IncidentEntity.entity).where(
        col(IncidentEntity.incident) == number,
        col(IncidentEntity.entity).startswith(WALLET),
        col(IncidentEntity.ignored).is_(False),
    )
    found = session.exec(query.order_by(col(IncidentEntity.entity)).limit(MOST_WALLETS + 1))
    return frozenset(entity.removeprefix(WALLET) for entity in found)


def assess(
    session: Session, wallets: Collection[str], book_of: Callable[[str], Book | None]
) -> Assessment:
    """Return what *wallets* put at risk; *book_of* gives a round, and raises Unmatched."""
    if not wallets:
        return Assessment(reason="no wallet is named in it")
    if len(wallets) > MOST_WALLETS:
        return Assessment(reason=f"it names more than {MOST_WALLETS:,} wallets")
    rounds = rounds_of(session, wallets, MOST_ROUNDS)
    if not rounds:
        reason = f"none of its {len(wallets):,} wallets has given to a round on chain"
        return Assessment(reason=reason, wallets=len(wallets))
    try:
        books = [book for name in rounds if (book := book_of(name)) and book.pool]
    except Unmatched as unmatched:
        return Assessment(reason=unmatched.reason, wallets=len(wallets))
    if not books:
        reason = f"no pool is known of {', '.join(rounds)}"
        return Assessment(reason=reason, wallets=len(wallets))
    return _worst([(book, book.without(wallets)) for book in books], frozenset(wallets))


def severity_for(found: Assessment, settings: Money) -> Severity | None:
    """Return how severe an incident is at least, by what it moves; None if it says nothing."""
    if found.share >= settings.critical:
        return Severity.CRITICAL
    return Severity.HIGH if found.share >= settings.high else None


def settle(
    session: Session,
    number: int,
    found: Assessment,
    settings: Money,
    as_of: datetime,
    now: datetime,
) -> bool:
    """Keep *found* on an incident; return whether that made it more severe.

    as_of: when its wallets were read. It is never made less severe, and not changed at all where
    a person has rated it.
    """
    incident = held(session, number)
    incident.money_at_risk = found.at_risk
    incident.money_json = found.model_dump_json(include=SHORT)
    incident.assessed = as_of
    session.add(incident)
    session.merge(IncidentMoney(incident=number, told_json=found.model_dump_json()))
    least = severity_for(found, settings)
    if least is None:
        return False
    why = f"{percent(found.share)} of the pool of {found.round} would move"
    raised = raise_to(session, number, least, why, now)
    incident.assessed = now if raised else as_of
    return raised


def percent(share: float) -> str:
    """Return a share as people read it: ``3.2 %``."""
    return f"{100 * share:.1f} %" if share >= VISIBLE or not share else "less than 0.1 %"


def changes(book: Book, found: Moved, suspects: Collection[str]) -> Iterable[Changed]:
    """Yield every project of a round with and without *suspects*, the largest change first."""
    paid, left = found.counted.paid, found.left_out.paid
    named = {*book.names, *paid}
    by_change: Mapping[str, int] = {one: paid.get(one, 0) - left.get(one, 0) for one in named}
    for project in sorted(named, key=lambda one: (-abs(by_change[one]), one)):
        givers = book.givers.get(project, frozenset())
        yield Changed(
            project=project,
            name=book.names.get(project, ""),
            donors=len(givers),
            suspects=len(givers.intersection(suspects)),
            counted=str(paid.get(project, 0)),
            left_out=str(left.get(project, 0)),
            change=str(by_change[project]),
        )


def at_risk(row: Incident) -> dict[str, Any] | None:
    """Return in short what an incident puts at risk, or None if it was not assessed yet."""
    if row.money_json is None or row.assessed is None:
        return None
    return {**orjson.loads(row.money_json), "assessed": rfc3339(row.assessed)}


def at_risk_whole(session: Session, row: Incident) -> dict[str, Any] | None:
    """Return the same with the change of every project, and what happens in other rounds."""
    short, told = at_risk(row), session.get(IncidentMoney, row.id)
    return {**orjson.loads(told.told_json), **short} if short and told else short


def _worst(found: list[tuple[Book, Moved]], wallets: frozenset[str]) -> Assessment:
    """Return the round in which the largest share moves; amounts of rounds cannot be added."""
    (book, worst), *others = sorted(found, key=lambda one: (-one[1].share, one[0].round))
    changed = [one for one in changes(book, worst, wallets) if one.change != "0"]
    return Assessment(
        at_risk=str(worst.gained),
        lost=str(worst.lost),
        share=float(worst.share),
        round=book.round,
        name=book.name,
        pool=str(book.pool),
        matching=book.matching,
        wallets=len(wallets),
        suspects=len(wallets & book.wallets),
        donors=len(book.wallets),
        projects=tuple(changed[:SHOWN]),
        more=max(0, len(changed) - SHOWN),
        elsewhere=tuple(
            Elsewhere(round=other.round, at_risk=str(moved.gained), share=float(moved.share))
            for other, moved in others
        ),
    )
