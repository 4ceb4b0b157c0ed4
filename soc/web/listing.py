"""The API's lists: incidents, alerts, runs, approvals and effects, by cursor, newest first."""

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter
from sqlmodel import Session, col, select

from soc.access.permissions import Permission
from soc.errors import NotFound
from soc.incidents import lifecycle
from soc.store.tables import Alert, Approval, Effect, Incident, Run
from soc.web import suppressions, views
from soc.web.asked import Cursor, Limit, Minutes, Number, Plain, needs
from soc.web.clocks import due_within, with_clocks
from soc.web.front import Front
from soc.web.paging import paged


def add(routes: APIRouter, front: Front) -> None:
    """Add the lists to *routes*."""
    _triage(routes, front)
    _responses(routes, front)
    _alerts(routes, front)


def _timed(front: Front) -> Callable[[Session, list[Plain]], list[Plain]]:
    """Return what puts clocks into incidents."""
    suite = front.suite

    def timed(looking: Session, items: list[Plain]) -> list[Plain]:
        return with_clocks(looking, items, suite.settings.incidents, suite.clock.now())

    return timed


def _triage(routes: APIRouter, front: Front) -> None:
    reads, timed = needs(front, Permission.READ), _timed(front)

    @routes.get("/incidents", tags=["incidents"], dependencies=[reads])
    def incidents(
        state: str | None = None, due: Minutes = None, limit: Limit = 100, cursor: Cursor = None
    ) -> Plain:
        """Return incidents, newest first; *due*: those that are due within so many minutes."""
        found = select(Incident)
        found = found.where(col(Incident.state) == state) if state else found
        with front.reading() as looking:
            if due is not None:
                suite = front.suite
                policy, now = suite.settings.incidents, suite.clock.now()
                found = found.where(*due_within(looking, due, policy, now))
            page = paged(looking, found, [col(Incident.id)], views.incident, limit, cursor)
            return {**page, "items": timed(looking, page["items"])}

    @routes.get("/alerts", tags=["alerts"], dependencies=[reads])
    def alerts(
        rule: str | None = None,
        incident: str | None = None,
        suppression: str | None = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Plain:
        """Return alerts, newest first; *suppression*: those that it hid, or would have."""
        found = select(Alert)
        found = found.where(col(Alert.rule) == rule) if rule else found
        if incident:
            found = found.where(col(Alert.incident) == lifecycle.number_of(incident))
        if suppression:
            found = found.where(suppressions.is_counted_by(suppression))
        with front.reading() as looking:
            return paged(looking, found, [col(Alert.id)], views.alert, limit, cursor)


def _responses(routes: APIRouter, front: Front) -> None:
    reads = needs(front, Permission.READ)

    @routes.get("/runs", tags=["runs"], dependencies=[reads])
    def runs(state: str | None = None, limit: Limit = 100, cursor: Cursor = None) -> Plain:
        """Return runs, newest first."""
        found = select(Run)
        found = found.where(col(Run.state) == state) if state else found
        with front.reading() as looking:
            return paged(looking, found, [col(Run.id)], views.run, limit, cursor)

    @routes.get("/approvals", tags=["approvals"], dependencies=[reads])
    def approvals_(state: str | None = None, limit: Limit = 100, cursor: Cursor = None) -> Plain:
        """Return questions to people, newest first."""
        found = select(Approval)
        found = found.where(col(Approval.state) == state) if state else found
        with front.reading() as looking:
            view = partial(views.approval, looking)
            return paged(looking, found, [col(Approval.id)], view, limit, cursor)

    @routes.get("/effects", tags=["effects"], dependencies=[reads])
    def effects(state: str | None = None, limit: Limit = 1000, cursor: Cursor = None) -> Plain:
        """Return what is, was or may come in force, newest first."""
        found = select(Effect)
        found = found.where(col(Effect.state) == state) if state else found
        order = [col(Effect.created), col(Effect.id)]
        with front.reading() as looking:
            return paged(looking, found, order, views.effect, limit, cursor)


def _alerts(routes: APIRouter, front: Front) -> None:
    reads, clock = needs(front, Permission.READ), front.suite.clock

    @routes.get("/alerts/{number}", tags=["alerts"], dependencies=[reads])
    def alert(number: Number) -> Plain:
        """Return one alert with the copies of its events."""
        with front.reading() as looking:
            row = looking.get(Alert, number)
            if row is None:
                raise NotFound("alert", str(number))
            return views.with_labels(looking, views.alert_whole(looking, row), clock.now())
