"""Rules that a person switched off, to monitor, or back on."""

from datetime import datetime

from sqlmodel import Session, select

from soc.store.locks import alone
from soc.store.tables import RuleState


def standing(session: Session, now: datetime) -> dict[str, RuleState]:
    """Return what people switched and what has not run out, by rule."""
    rows = session.exec(select(RuleState))
    return {row.rule: row for row in rows if row.until is None or row.until > now}


def in_force(session: Session, now: datetime) -> dict[str, str]:
    """Return the mode of every rule whose switch has not run out."""
    return {rule: row.mode for rule, row in standing(session, now).items()}


def switch(session: Session, state: RuleState) -> None:
    """Put *state* in the place of any earlier one of its rule."""
    alone(session, f"rule {state.rule}")
    session.merge(state)
