"""The incident page: why, evidence, what was done, and what a person decides."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import APIRouter, Form, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.errors import Illegal
from soc.incidents import alerts, lifecycle, notes
from soc.incidents.lifecycle import IncidentState
from soc.respond import approvals
from soc.store.tables import AuditRow
from soc.web import views
from soc.web.clocks import with_clocks
from soc.web.console import timeline
from soc.web.console.inbox import question
from soc.web.console.problems import sentence
from soc.web.console.shell import Console, Line, Text, go, number_of

Plain = dict[str, Any]
Change = Callable[..., object]
"""A change of the life cycle, waiting for session, number, actor and moment."""
NEWEST = 200
"""Entries of the timeline that the page shows; the API has all of them."""
SHOWN = 50
"""Alerts and effects that the page itself lists; the rest is one click away."""
PROVEN = 10
"""Alerts whose events the page shows; the page of each other has its own."""
NAMED = 100
"""Entities that the page lists."""


class Filled(NamedTuple):
    """A form as it was sent. problems: why it is not taken, with the status that says so."""

    form: str
    status: int
    problems: tuple[str, ...]
    typed: dict[str, str]


def add(routes: APIRouter, console: Console) -> None:
    """Add the page and its forms."""
    desk, reads = Desk(console), console.reader()

    @routes.get("/incidents/{name}")
    def page(request: Request, name: str, who: Principal = reads) -> Response:
        """Show one incident."""
        return desk.show(request, who, number_of("incident", name))

    @routes.post("/incidents/{name}/close")
    def close(
        request: Request, name: str, who: Principal = reads, verdict: Line = "", note: Text = ""
    ) -> Response:
        """Close it with a verdict and what happened in one line."""
        number = number_of("incident", name)
        missing = (
            *(() if verdict else ("Verdict: choose one. It is what the rules are judged by.",)),
            *(() if note.strip() else ("What happened: write one line.",)),
        )
        form = Filled("close", 422, missing, {"verdict": verdict, "note": note})
        who.require(Permission.TRIAGE)
        who.require_person()
        act = partial(lifecycle.close, verdict=verdict, note=note)
        return desk.change(request, who, number, form, act)

    @routes.post("/incidents/{name}/notes")
    def annotate(request: Request, name: str, who: Principal = reads, text: Text = "") -> Response:
        """Write a note on it."""
        missing = () if text.strip() else ("Note: write a line.",)
        form = Filled("note", 422, missing, {"text": text})
        act = partial(notes.annotate, text=text)
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/assign")
    def assign(request: Request, name: str, who: Principal = reads, owner: Line = "") -> Response:
        """Give it to somebody; nobody named means the one who asks."""
        form = Filled("work", 422, (), {"owner": owner})
        act = partial(lifecycle.assign, owner=owner.strip() or who.person or who.name)
        return desk.change(request, who, number_of("incident", name), form, act)

    @routes.post("/incidents/{name}/move")
    def move(
        request: Request,
        name: str,
        state: Annotated[IncidentState, Form()],
        who: Principal = reads,
    ) -> Response:
        """Put it into another open state."""
        act = partial(lifecycle.move, state=state)
        form = Filled("work", 422, (), {})
        return desk.change(request, who, number_of("incident", name), form, act)


class Desk:
    """Shows incidents, and changes them as forms ask."""

    def __init__(self, console: Console) -> None:
        self._console, self._front = console, console.front

    def show(
        self, request: Request, who: Principal, number: int, refused: Filled | None = None
    ) -> Response:
        """Return the page; *refused* is the form that was not taken."""
        with self._front.reading() as looking:
            found = views.incident_whole(looking, number, NEWEST)
            counts = views.counts_of(looking, number)
            shown = [views.alert(row) for row in lifecycle.alerts_of(looking, number, SHOWN)]
            proven = [a["id"] for a in shown[:PROVEN]]
            copies = alerts.events_of_all(looking, proven)
            asked = [approvals.get(looking, a["id"]) for a in found["approvals"]]
            now = self._front.suite.clock.now()
            questions = [question(looking, row, who, now) for row in asked]
            changes = _changes(looking, number)
            (found,) = with_clocks(looking, [found], self._front.suite.settings.incidents, now)
            found = views.with_labels(looking, found, now)
            rules = {a["rule"] for a in found["alerts"]}
            found["techniques"] = self._front.rulebook.techniques(rules)
        return self._console.page(
            request,
            "incident.html",
            who=who,
            status=refused.status if refused else 200,
            incident=found,
            shown=shown,
            counts=counts,
            events={one: list(map(views.event, copies.get(one, ()))) for one in proven},
            most=SHOWN,
            listing=NAMED,
            asked=[one for one in questions if one["open"]],
            timeline=timeline.of(found, changes)[-NEWEST:],
            moves=_moves(found["state"]),
            refused=refused,
            twin=f"/api/v1/incidents/{found['id']}",
        )

    def change(
        self, request: Request, who: Principal, number: int, form: Filled, act: Change
    ) -> Response:
        """Do *act* in a transaction and come back, or show the page with what was typed."""
        who.require(Permission.TRIAGE)
        if form.problems:
            return self.show(request, who, number, form)
        try:
            with self._front.writing() as writing:
                act(writing, number, actor=who.name, now=self._front.suite.clock.now())
        except Illegal as illegal:
            form = form._replace(status=409, problems=(sentence(illegal.reason),))
            return self.show(request, who, number, form)
        return go(f"/incidents/INC-{number}#{form.form}")


def _changes(looking: Session, number: int) -> list[Plain]:
    """Return the acts on an incident but its notes, which stand for themselves."""
    query = select(AuditRow.record).where(
        col(AuditRow.object) == f"incident:{number}",
        col(AuditRow.action).startswith("incident.", autoescape=True),
        col(AuditRow.action).not_in(["incident.note", "incident.grow"]),
    )
    last = query.order_by(col(AuditRow.id).desc()).limit(NEWEST)
    return [orjson.loads(text) for text in looking.exec(last).all()[::-1]]


def _moves(state: str) -> list[str]:
    allowed = lifecycle.NEXT[IncidentState(state)] - {IncidentState.CLOSED}
    return [other.value for other in IncidentState if other in allowed]
