"""The API of suppressions: see what they would hide first, then save them, and end them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from sqlalchemy import ColumnElement
from sqlmodel import col, select

from soc.access.permissions import Permission, Principal
from soc.errors import NotFound
from soc.incidents import lifecycle, suppressions
from soc.incidents.scope import Scope, scope_of
from soc.incidents.suppressions import Mode, State, Wanted
from soc.store.tables import Alert, Suppression, SuppressionHit
from soc.web import views
from soc.web.asked import Body, Cursor, Limit, Number, Plain, Reason, needs
from soc.web.front import Front
from soc.web.paging import paged


class About(Body):
    """What is to be hidden: a rule, an entity, a matched field, or several of them together."""

    rule: str | None = None
    entity: str | None = None
    field: str | None = None
    value: str | None = None

    @property
    def scope(self) -> Scope:
        """Return it, checked; raises Refused."""
        return scope_of(rule=self.rule, entity=self.entity, field=self.field, value=self.value)


class Saving(About):
    """A suppression. seen: what the test of the same scope said; owner: else who asks."""

    owner: Annotated[str, Field(max_length=200)] = ""
    reason: str
    mode: Mode = Mode.MONITOR
    until: AwareDatetime
    seen: str


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of suppressions to *routes*."""
    reads = needs(front, Permission.READ)
    triages = needs(front, Permission.TRIAGE, person=True)
    clock = front.suite.clock

    @routes.get("/suppressions", tags=["suppressions"], dependencies=[reads])
    def list_(
        state: State | Literal["live"] | None = None, limit: Limit = 100, cursor: Cursor = None
    ) -> Plain:
        """Return suppressions, newest first."""
        now = clock.now()
        found = select(Suppression).where(*in_state(state, now))
        with front.reading() as looking:
            return paged(
                looking,
                found,
                [col(Suppression.id)],
                lambda row: views.suppression(row, now),
                limit,
                cursor,
            )

    @routes.get("/suppressions/{number}", tags=["suppressions"], dependencies=[reads])
    def one(number: Number) -> Plain:
        """Return one suppression."""
        with front.reading() as looking:
            return views.suppression(suppressions.get(looking, number), clock.now())

    @routes.post("/suppressions/test", tags=["suppressions"], dependencies=[reads])
    def test(given: About) -> Plain:
        """Return what would have been hidden in 90 days, and ``seen``, to save it by."""
        with front.reading() as looking:
            return views.back_test(suppressions.test(looking, given.scope, clock.now()))

    @routes.post("/suppressions", tags=["suppressions"], status_code=201)
    def save(given: Saving, who: Principal = triages) -> Plain:
        """Save a suppression, as a person; 409 if its test was not seen or says otherwise now."""
        now = clock.now()
        wanted = Wanted(
            **given.scope.model_dump(),
            owner=given.owner or who.name,
            reason=given.reason,
            mode=given.mode,
            until=given.until,
            seen=given.seen,
        )
        with front.writing() as writing:
            return views.suppression(suppressions.add(writing, wanted, who.name, now), now)

    @routes.post("/suppressions/{number}/expire", tags=["suppressions"])
    def expire(number: Number, given: Reason, who: Principal = triages) -> Plain:
        """End a suppression at once, as a person; 409 if it is over."""
        now = clock.now()
        with front.writing() as writing:
            return views.suppression(
                suppressions.withdraw(writing, number, given.reason, who.name, now), now
            )


def in_state(state: str | None, now: datetime) -> list[ColumnElement[bool]]:
    """Return the conditions of suppressions in *state*; ``live`` are those that still count."""
    runs = [col(Suppression.ended).is_(None), col(Suppression.until) > now]
    match state:
        case None:
            return []
        case "live":
            return runs
        case State.WITHDRAWN:
            return [col(Suppression.ended).is_not(None)]
        case State.EXPIRED:
            return [col(Suppression.ended).is_(None), col(Suppression.until) <= now]
    return [*runs, col(Suppression.mode) == state]


def is_counted_by(name: str) -> ColumnElement[bool]:
    """Return the condition of alerts that the suppression called *name* counts."""
    try:
        number = lifecycle.number_of(name.upper().removeprefix("SUP-"))
    except NotFound as none:
        raise NotFound("suppression", name) from none
    hit = select(SuppressionHit.alert).where(col(SuppressionHit.suppression) == number)
    return col(Alert.id).in_(hit)
