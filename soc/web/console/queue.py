"""The queue: what there is to work, the worst first."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from sqlalchemy import ColumnElement, true
from sqlmodel import Session, col, func, select
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.incidents import lifecycle
from soc.incidents import queue as worklist
from soc.incidents.lifecycle import IncidentState
from soc.store.tables import Alert, Approval, Incident, IncidentEntity
from soc.web import views
from soc.web.asked import Minutes
from soc.web.clocks import due_within, with_clocks
from soc.web.console import saved
from soc.web.console.shell import Console, PageNumber

State = Literal["open", "closed", "all"]
Kind = Literal["", "security", "operations", "monitor"]
Plain = dict[str, Any]

ROWS = 50
VIEWS = (
    ("All open", "/queue"),
    ("Mine", "/queue?mine=1"),
    ("Due within 30 min", "/queue?due=30"),
    ("Security", "/queue?kind=security"),
    ("Operations", "/queue?kind=operations"),
    ("Monitor", "/queue?kind=monitor"),
    ("Closed", "/queue?state=closed"),
    ("All", "/queue?state=all"),
)


def add(routes: APIRouter, console: Console) -> None:
    """Add the queue."""
    reads = console.reader()

    @routes.get("/queue")
    def queue(
        request: Request,
        who: Principal = reads,
        state: State = "open",
        kind: Kind = "",
        mine: bool = False,  # noqa: FBT001, FBT002 - a key of the query string
        due: Minutes = None,
        q: str = "",
        page: PageNumber = 1,
    ) -> Response:
        """Show incidents."""
        wanted: list[ColumnElement[bool]] = [
            *_in_state(state),
            *_of_kind(kind),
        ]
        if mine:
            wanted.append(col(Incident.owner) == (who.person or who.name))
        suite = console.front.suite
        policy, now = suite.settings.incidents, suite.clock.now()
        with console.front.reading() as looking:
            by = _search(looking, q.strip())
            wanted.append(by.condition)
            if due is not None:
                wanted += due_within(looking, due, policy, now)
            total = worklist.count(looking, wanted) if by.few else None
            find = worklist.newest if state == "closed" else partial(worklist.listed, total=total)
            rows = find(looking, wanted, (page - 1) * ROWS, ROWS)
            items = _with_more(looking, [views.incident(row) for row in rows])
            items = with_clocks(looking, items, policy, now, rows)
            own = saved.listed(looking, who, "/queue")
        kept = {"state": state, "kind": kind, "mine": "1" if mine else "", "due": due, "q": q}
        return console.page(
            request,
            "queue.html",
            who=who,
            items=items,
            total=total,
            few=worklist.FEW,
            size=ROWS,
            page=page,
            pages=None if total is None else -(-total // ROWS),
            kept={key: value for key, value in kept.items() if value not in {"", None, "open"}},
            views=VIEWS,
            own=own,
            twin="/api/v1/incidents",
        )


def _in_state(state: State) -> Sequence[ColumnElement[bool]]:
    is_open = col(Incident.state).in_(lifecycle.OPEN)
    is_closed = col(Incident.state).in_([IncidentState.RESOLVED, IncidentState.CLOSED])
    return {"open": [is_open], "closed": [is_closed], "all": []}[state]


def _of_kind(kind: Kind) -> Sequence[ColumnElement[bool]]:
    watched, ours = col(Incident.monitor).is_(True), col(Incident.operations).is_(True)
    wanted = {
        "": [~watched],
        "security": [~watched, ~ours],
        "operations": [ours],
        "monitor": [watched],
    }
    return wanted[kind]


def _search(looking: Session, text: str) -> worklist.Search:
    digits = text.upper().removeprefix("INC-")
    if digits.isascii() and digits.isdigit() and len(digits) < 10:  # noqa: PLR2004 - no row has more
        return worklist.Search(col(Incident.id) == int(digits))
    return worklist.search(looking, text) if text else worklist.Search(true())


def _with_more(looking: Session, items: list[Plain]) -> list[Plain]:
    """Add to each who is named, how many alerts it has, and whether it waits for people."""
    numbers = [lifecycle.number_of(item["id"]) for item in items]
    counted = select(Alert.incident, func.count()).where(col(Alert.incident).in_(numbers))
    alerts = dict(looking.exec(counted.group_by(col(Alert.incident))).all())
    pending = select(Approval.incident).where(
        col(Approval.incident).in_(numbers), col(Approval.state) == "pending"
    )
    waiting = set(looking.exec(pending))
    named = select(IncidentEntity.incident, func.min(IncidentEntity.entity), func.count()).where(
        col(IncidentEntity.incident).in_(numbers)
    )
    grouped = looking.exec(named.group_by(col(IncidentEntity.incident)))
    entities = {number: (first, count - 1) for number, first, count in grouped}
    return [
        {
            **item,
            "alerts": alerts.get(number, 0),
            "waiting": number in waiting,
            "entity": entities.get(number, ("", 0)),
        }
        for number, item in zip(numbers, items, strict=True)
    ]
