"""A round as it stands: what its pool pays with and without the wallets of open incidents."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from soc.errors import Unmatched
from soc.funding import projection
from soc.funding.book import Book
from soc.funding.matching import Gift, Moved
from soc.incidents.lifecycle import OPEN
from soc.incidents.money import WALLET, at_risk, changes
from soc.store.tables import Incident, IncidentEntity
from soc.triage import Money

Plain = dict[str, Any]
MOST_NAMED = 100_000
"""Wallets of open incidents that are looked at."""
CLUSTERS = 50
"""Incidents whose share is reckoned apart, those with the most wallets first."""
LINKS = 200
"""Gifts of a cluster that are listed."""


def whole(session: Session, round_id: str, settings: Money, now: datetime) -> Plain | None:
    """Return one round, its projects and its suspects as JSON values, or None if there is none.

    Amounts are integer text in the token's smallest unit. Where the round cannot be matched,
    ``reason`` says why, and what would be paid is null.
    """
    told = projection.whole_round(session, round_id)
    if told is None:
        return None
    suspects = suspects_of(session)
    try:
        book = Book.of(session, round_id, settings.pair_bound, now)
    except Unmatched as unmatched:
        return {**told, **_unmatched(unmatched.reason), "projects": _plain(told["projects"])}
    assert book is not None  # noqa: S101 - the round was read in the same look
    named = book.wallets.intersection(suspects)
    found = book.without(named)
    return {
        **told,
        "reason": "" if book.pool else "no pool is known of it",
        "matching": book.matching,
        "pair_bound": None if book.bound is None else str(book.bound),
        "is_short": book.counted.is_short,
        "paid": str(sum(book.counted.paid.values())),
        "donors": len(book.wallets),
        "suspects": len(named),
        "at_risk": str(found.gained),
        "lost": str(found.lost),
        "fraud_tax": float(found.share),
        "projects": _projects(told["projects"], book, found, named),
        "clusters": _clusters(session, book, suspects),
    }


def suspects_of(session: Session) -> Mapping[str, frozenset[int]]:
    """Return the wallets that open security incidents name, each with the numbers of these."""
    query = (
        select(IncidentEntity.entity, IncidentEntity.incident)
        .join(Incident, col(Incident.id) == col(IncidentEntity.incident))
        .where(
            col(Incident.state).in_(OPEN),
            col(Incident.operations).is_(False),
            col(Incident.monitor).is_(False),
            col(IncidentEntity.ignored).is_(False),
            col(IncidentEntity.entity).startswith(WALLET),
        )
        .order_by(col(IncidentEntity.incident).desc(), col(IncidentEntity.entity))
        .limit(MOST_NAMED)
    )
    named: defaultdict[str, set[int]] = defaultdict(set)
    for entity, incident in session.exec(query):
        named[entity.removeprefix(WALLET)].add(incident)
    return {wallet: frozenset(numbers) for wallet, numbers in named.items()}


def _unmatched(reason: str) -> Plain:
    unknown = ("pair_bound", "is_short", "paid", "donors", "suspects", "at_risk", "lost")
    return {
        **dict.fromkeys(unknown),
        "reason": reason,
        "matching": None,
        "fraud_tax": None,
        "clusters": [],
    }


def _plain(projects: list[Plain]) -> list[Plain]:
    unknown = dict.fromkeys(("suspects", "counted", "left_out", "change"))
    return [{**project, **unknown} for project in projects]


def _projects(
    told: list[Plain], book: Book, found: Moved, suspects: Collection[str]
) -> list[Plain]:
    """Return the projects, the largest change first; gifts to unknown ones among them."""
    known = {project["id"]: project for project in told}
    nothing = {"name": "", "owner": "", "gifts": 0, "wallets": 0, "amount": "0"}
    return [
        {
            **known.get(one.project, {"id": one.project, **nothing}),
            "suspects": one.suspects,
            "counted": one.counted,
            "left_out": one.left_out,
            "change": one.change,
        }
        for one in changes(book, found, suspects)
    ]


def _clusters(session: Session, book: Book, suspects: Mapping[str, frozenset[int]]) -> list[Plain]:
    """Return what each open incident's wallets gave here and move alone."""
    gave: defaultdict[int, set[str]] = defaultdict(set)
    for wallet in book.wallets.intersection(suspects):
        for number in suspects[wallet]:
            gave[number].add(wallet)
    largest = sorted(gave, key=lambda number: (-len(gave[number]), number))[:CLUSTERS]
    rows = session.exec(select(Incident).where(col(Incident.id).in_(largest)))
    by_number = {row.id: row for row in rows}
    given: defaultdict[str, list[Gift]] = defaultdict(list)
    for gift in book.gifts:
        if gift.wallet in suspects:
            given[gift.wallet].append(gift)
    return [
        _cluster(
            book,
            by_number[number],
            gave[number],
            [gift for wallet in sorted(gave[number]) for gift in given[wallet]],
        )
        for number in largest
    ]


def _alone(book: Book, incident: Incident, wallets: Collection[str]) -> Plain:
    """Return what *wallets* move alone; by pairs that takes long: then what was assessed."""
    if book.bound is None:
        found = book.without(wallets)
        return {"at_risk": str(found.gained), "share": float(found.share)}
    assessed = at_risk(incident)
    if assessed is None or assessed["round"] != book.round:
        return {"at_risk": None, "share": None}
    return assessed


def _cluster(book: Book, incident: Incident, wallets: set[str], gifts: list[Gift]) -> Plain:
    alone = _alone(book, incident, wallets)
    links: Counter[tuple[str, str]] = Counter()
    for gift in gifts:
        links[gift.wallet, gift.project] += gift.amount
    return {
        "incident": f"INC-{incident.id}",
        "title": incident.title,
        "severity": incident.severity,
        "wallets": len(wallets),
        "amount": str(sum(gift.amount for gift in gifts)),
        "at_risk": alone["at_risk"],
        "fraud_tax": alone["share"],
        "links": [
            {
                "wallet": wallet,
                "project": project,
                "name": book.names.get(project, ""),
                "amount": str(amount),
            }
            for (wallet, project), amount in sorted(links.items())[:LINKS]
        ],
        "more_links": max(0, len(links) - LINKS),
    }
