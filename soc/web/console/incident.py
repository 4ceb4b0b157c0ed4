"""The incident page: why, evidence, what was done, and what a person decides."""

from typing import Any, NamedTuple

import orjson
from fastapi import APIRouter, Request
from sqlmodel import Session, col, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.errors import Illegal
from soc.incidents import alerts, lifecycle
from soc.incidents.lifecycle import IncidentState
from soc.respond import approvals
from soc.store.tables import AuditRow
from soc.web import views
from soc.web.console import timeline
from soc.web.console.response import question
from soc.web.console.shell import Console, Line, Text, go, number_of

Plain = dict[str, Any]
SHOWN = 50
"""Alerts and effects that the page itself lists; the rest is one click away."""
CHANGES = ("open", "assign", "close", *IncidentState)


class Trouble(NamedTuple):
    """Why a form was not taken, and what was typed into it."""

    form: str
    status: int
    problems: tuple[str, ...]
    typed: dict[str, str]


def add(routes: APIRouter, console: Console) -> None:
    """Add the page and its forms."""
    front, reads = console.front, console.reader()

    def show(request: Request, who: Principal, number: int, trouble: Trouble | None = None) -> Response:
        now = front.suite.clock.now()
        with front.reading() as looking:
            found = views.incident_whole(looking, number)
            shown = found["alerts"][:SHOWN]
            events = {
                alert["id"]: [views.event(e) for e in alerts.events_of(looking, alert["id"])]
                for alert in shown
            }
            asked = [question(looking, approvals.get(looking, a["id"]), who, now) for a in found["approvals"]]
            changes = _changes(looking, number)
        return console.page(
            request,
            "incident.html",
            who=who,
            status=trouble.status if trouble else 200,
            incident=found,
            shown=shown,
            events=events,
            most=SHOWN,
            asked=[a for a in asked if a["open"]],
            timeline=timeline.of(found, changes),
            moves=_moves(found["state"]),
            trouble=trouble,
            twin=f"/api/v1/incidents/{found['id']}",
        )

    def change(request: Request, who: Principal, number: int, asked: Trouble, act: Any) -> Response:  # noqa: ANN401 - a call
        """Do *act* in a transaction and come back, or show the page with what was typed."""
        who.require(Permission.TRIAGE)
        if asked.problems:
            return show(request, who, number, asked)
        try:
            with front.writing() as writing:
                act(writing, front.suite.clock.now())
        except Illegal as refused:
            return show(request, who, number, asked._replace(status=409, problems=(refused.reason,)))
        return go(f"/incidents/INC-{number}#{asked.form}")

    @routes.get("/incidents/{name}")
    def page(request: Request, name: str, who: Principal = reads) -> Response:
        """Show one incident."""
        return show(request, who, number_of("incident", name))

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
        asked = Trouble("close", 422, missing, {"verdict": verdict, "note": note})
        return change(
            request, who, number, asked,
            lambda writing, now: lifecycle.close(writing, number, verdict, note, who.name, now),
        )  # fmt: skip

    @routes.post("/incidents/{name}/notes")
    def note(request: Request, name: str, who: Principal = reads, text: Text = "") -> Response:
        """Write a note on it."""
        number = number_of("incident", name)
        missing = () if text.strip() else ("Note: write a line.",)
        asked = Trouble("note", 422, missing, {"text": text})
        return change(
            request, who, number, asked,
            lambda writing, now: lifecycle.annotate(writing, number, text, who.name, now),
        )  # fmt: skip

    @routes.post("/incidents/{name}/assign")
    def assign(request: Request, name: str, who: Principal = reads, owner: Line = "") -> Response:
        """Give it to somebody; nobody named means the one who asks."""
        number = number_of("incident", name)
        chosen = owner.strip() or who.person or who.name
        asked = Trouble("work", 422, (), {"owner": owner})
        return change(
            request, who, number, asked,
            lambda writing, now: lifecycle.assign(writing, number, chosen, who.name, now),
        )  # fmt: skip

    @routes.post("/incidents/{name}/move")
    def move(request: Request, name: str, who: Principal = reads, state: Line = "") -> Response:
        """Put it into another open state."""
        number = number_of("incident", name)
        missing = () if state in set(IncidentState) else ("State: choose one.",)
        asked = Trouble("work", 422, missing, {})
        return change(
            request, who, number, asked,
            lambda writing, now: lifecycle.move(writing, number, IncidentState(state), who.name, now),
        )  # fmt: skip


def _changes(looking: Session, number: int) -> list[Plain]:
    """Return the acts that moved an incident through its life cycle."""
    query = select(AuditRow.record).where(
        col(AuditRow.object) == f"incident:{number}",
        col(AuditRow.action).in_([f"incident.{change}" for change in CHANGES]),
    )
    return [orjson.loads(text) for text in looking.exec(query.order_by(col(AuditRow.id)))]


def _moves(state: str) -> list[str]:
    allowed = lifecycle.NEXT[IncidentState(state)] - {IncidentState.CLOSED}
    return [other.value for other in IncidentState if other in allowed]
