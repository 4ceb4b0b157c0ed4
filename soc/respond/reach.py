"""Read from the store what guards must know: how far response has reached, and whether it may."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select

from soc.respond.action import Hold
from soc.respond.guard import Facts
from soc.respond.ledger import FOLLOWED
from soc.respond.stopping import stopped
from soc.settings import Respond
from soc.store.tables import Donation, Effect, Run

HOUR = timedelta(hours=1)
LATELY = timedelta(days=30)
RESTRICTING = ("quarantine", "rate_limit", "weight")
AT_ONCE = 500
"""Wallets that one question to the store names."""
WALLET = "wallet:"
NOBODY: frozenset[str] = frozenset()


def facts(
    session: Session,
    run: Run,
    action: str,
    holds: Sequence[Hold],
    policy: Respond,
    now: datetime,
) -> Facts:
    """Return what a decision by *policy* must know about *holds* that *action* would put in force.

    What no budget of the policy is about is not asked.
    """
    stop = stopped(session)
    wanted = {hold.subject for hold in holds if hold.kind in RESTRICTING}
    shares = bool(wanted) and policy.budget_share is not None
    since, lately = now - HOUR, now - LATELY
    by_playbook = run.playbook in policy.budgets and bool(holds)
    by_action = action in policy.budgets and bool(holds)
    held = wanted | _in_force(session) if shares else set()
    return Facts(
        playbook=run.playbook,
        action=action,
        stopped=stop.reason if stop else "",
        by_playbook=_lately(session, since, playbook=run.playbook) if by_playbook else NOBODY,
        by_action=_lately(session, since, action=action) if by_action else NOBODY,
        donors=_donors(session, lately) if shares else 0,
        donors_held=_among_donors(session, held, lately) if shares else 0,
    )


def _lately(
    session: Session, since: datetime, *, playbook: str = "", action: str = ""
) -> frozenset[str]:
    """Return whom effects of a playbook or an action are about, of those made *since*."""
    query = select(Effect.subject).where(col(Effect.active) > since)
    if playbook:
        query = query.join(Run, col(Run.id) == col(Effect.run))
        query = query.where(col(Run.playbook) == playbook)
    if action:
        query = query.where(col(Effect.action) == action)
    return frozenset(session.exec(query))


def _in_force(session: Session) -> set[str]:
    query = select(Effect.subject).where(
        col(Effect.state).in_(FOLLOWED), col(Effect.kind).in_(RESTRICTING)
    )
    return set(session.exec(query))


def _donors(session: Session, since: datetime) -> int:
    wallets = func.count(func.distinct(col(Donation.wallet)))
    return session.exec(select(wallets).where(_gave(since))).one()


def _among_donors(session: Session, subjects: set[str], since: datetime) -> int:
    """Return how many of *subjects* are wallets that gave *since*."""
    wallets = sorted(s.removeprefix(WALLET) for s in subjects if s.startswith(WALLET))
    found: set[str] = set()
    for start in range(0, len(wallets), AT_ONCE):
        named = col(Donation.wallet).in_(wallets[start : start + AT_ONCE])
        found |= set(session.exec(select(Donation.wallet).where(named, _gave(since))))
    return len(found)


def _gave(since: datetime) -> ColumnElement[bool]:
    return or_(col(Donation.announced) > since, col(Donation.on_chain) > since)
