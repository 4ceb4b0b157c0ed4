"""Suppressions: what is hidden, what a new one would hide, and the form that saves it."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from sqlmodel import col, select
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.errors import Illegal, Refused
from soc.incidents import suppressions
from soc.incidents.scope import parted, scope_of
from soc.incidents.suppressions import LONGEST, Mode, Wanted
from soc.store.tables import Suppression
from soc.web import views
from soc.web.console.problems import Problem, sentence
from soc.web.console.shell import Console, Line, PageNumber, Text, go, number_of, paged
from soc.web.suppressions import in_state

Asked = Annotated[str, Query(max_length=2_200)]
Days = Annotated[int, Form(ge=1, le=LONGEST.days)]
Shown = Literal["", "active", "monitor", "expired", "withdrawn", "all"]
VIEWS = (
    ("In force", "/suppressions"),
    ("Active", "/suppressions?state=active"),
    ("Monitor", "/suppressions?state=monitor"),
    ("Expired", "/suppressions?state=expired"),
    ("Withdrawn", "/suppressions?state=withdrawn"),
    ("All", "/suppressions?state=all"),
)


def add(routes: APIRouter, console: Console) -> None:
    """Add the list, the form with its back-test, and the form that ends one."""
    _list(routes, console)
    _new(routes, console)


def _list(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/suppressions")
    def list_(
        request: Request, who: Principal = reads, state: Shown = "", page: PageNumber = 1
    ) -> Response:
        """Show what is hidden, newest first."""
        now = front.suite.clock.now()
        wanted = in_state({"": "live", "all": None}.get(state, state), now)
        found = select(Suppression).where(*wanted).order_by(col(Suppression.id).desc())
        with front.reading() as looking:
            listed = paged(looking, found, lambda row: views.suppression(row, now), page)
        kept = {"state": state} if state else {}
        twin = "/api/v1/suppressions" + (f"?state={state or 'live'}" if state != "all" else "")
        return console.page(
            request, "suppressions.html", who=who, **listed, kept=kept, views=VIEWS, twin=twin
        )

    @routes.post("/suppressions/{name}/expire")
    def expire(request: Request, name: str, who: Principal = reads, reason: Text = "") -> Response:
        """End one at once."""
        who.require(Permission.TRIAGE)
        who.require_person()
        number = number_of("suppression", name.removeprefix("SUP-"))
        if not reason.strip():
            ways = [("Back, to write a reason", "/suppressions")]
            lines = ("Reason: write why it ends now.",)
            problem = Problem(422, f"{name} was not ended", lines, [], ways)
            return console.page(request, "error.html", who=who, status=422, problem=problem)
        with front.writing() as writing:
            now = front.suite.clock.now()
            suppressions.withdraw(writing, number, reason, who.name, now)
        return go("/suppressions?state=withdrawn")


def _new(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/suppressions/new")
    def new(
        request: Request,
        who: Principal = reads,
        rule: Asked = "",
        entity: Asked = "",
        match: Asked = "",
    ) -> Response:
        """Show what a suppression would hide, and the form that saves it."""
        return _form(console, request, who, {"rule": rule, "entity": entity, "match": match})

    @routes.post("/suppressions/new")
    def save(
        request: Request,
        who: Principal = reads,
        rule: Text = "",
        entity: Text = "",
        match: Text = "",
        owner: Line = "",
        reason: Text = "",
        mode: Annotated[Mode, Form()] = Mode.MONITOR,
        days: Days = 14,
        seen: Line = "",
    ) -> Response:
        """Save a suppression whose back-test was shown."""
        who.require(Permission.TRIAGE)
        who.require_person()
        now = front.suite.clock.now()
        typed = {"rule": rule, "entity": entity, "match": match}
        more = {"owner": owner, "reason": reason, "mode": mode.value, "days": str(days)}
        try:
            wanted = _wanted(typed, owner or who.name, reason, mode, now, days, seen)
            with front.writing() as writing:
                suppressions.add(writing, wanted, who.name, now)
        except (Refused, Illegal) as wrong:
            status = 409 if isinstance(wrong, Illegal) else 422
            return _form(console, request, who, typed | more, status, sentence(wrong.reason))
        return go("/suppressions")


def _wanted(
    typed: dict[str, str],
    owner: str,
    reason: str,
    mode: Mode,
    now: datetime,
    days: int,
    seen: str,
) -> Wanted:
    field, value = parted(typed["match"].strip())
    scope = scope_of(
        rule=typed["rule"].strip(), entity=typed["entity"].strip(), field=field, value=value
    )
    return Wanted(
        **scope.model_dump(),
        owner=owner,
        reason=reason,
        mode=mode,
        until=now + timedelta(days=days),
        seen=seen,
    )


def _form(
    console: Console,
    request: Request,
    who: Principal,
    typed: dict[str, str],
    status: int = 200,
    problem: str = "",
) -> Response:
    """Return the form; with the back-test of what was typed, if anything was."""
    found, front = None, console.front
    if any(typed[name].strip() for name in ("rule", "entity", "match")):
        try:
            field, value = parted(typed["match"].strip())
            scope = scope_of(
                rule=typed["rule"].strip(), entity=typed["entity"].strip(), field=field, value=value
            )
            with front.reading() as looking:
                found = views.back_test(suppressions.test(looking, scope, front.suite.clock.now()))
        except Refused as wrong:
            status, problem = 422, sentence(wrong.reason)
    return console.page(
        request,
        "suppression_new.html",
        who=who,
        status=status,
        typed=typed,
        found=found,
        problem=problem,
        longest=LONGEST.days,
    )
