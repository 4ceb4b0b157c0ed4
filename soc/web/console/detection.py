"""Alerts with their evidence, and what no parser understood."""

from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import col, select
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.errors import NotFound
from soc.model.value import rfc3339
from soc.store.tables import Alert
from soc.web import explain, views
from soc.web.console import saved
from soc.web.console.shell import PER_PAGE, After, Console, PageNumber, number_of, paged
from soc.web.lists import with_labels
from soc.web.suppressions import is_counted_by

Plain = dict[str, Any]
SHOWN = 4_000
"""Characters of a reject that the page shows: what nobody understood may be of any size."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the pages."""
    _alerts(routes, console)
    _rejects(routes, console)


def _alerts(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/alerts")
    def alerts(
        request: Request,
        who: Principal = reads,
        rule: str = "",
        incident: str = "",
        suppression: str = "",
        page: PageNumber = 1,
    ) -> Response:
        """Show alerts, newest first."""
        wanted = [col(Alert.rule) == rule] if rule else []
        if incident:
            wanted.append(col(Alert.incident) == number_of("incident", incident))
        if suppression:
            wanted.append(is_counted_by(suppression))
        found = select(Alert).where(*wanted).order_by(col(Alert.id).desc())
        with front.reading() as looking:
            listed = paged(looking, found, views.alert, page)
            own = saved.listed(looking, who, "/alerts")
        kept = {"rule": rule, "incident": incident, "suppression": suppression}
        return console.page(
            request,
            "alerts.html",
            who=who,
            **listed,
            kept={key: value for key, value in kept.items() if value},
            own=own,
            twin="/api/v1/alerts",
        )

    @routes.get("/alerts/{name}")
    def alert(request: Request, name: str, who: Principal = reads) -> Response:
        """Show one alert with the copies of its events."""
        number = number_of("alert", name)
        with front.reading() as looking:
            row = looking.get(Alert, number)
            if row is None:
                raise NotFound("alert", name)
            whole = views.alert_whole(looking, row)
            found = with_labels(looking, whole, front.suite.clock.now())
            past = explain.history(looking, row.rule, front.suite.clock.now())
        return console.page(
            request,
            "alert.html",
            who=who,
            alert=found,
            rule=explain.written(front.suite, found),
            past=past,
            techniques=explain.techniques(front.suite, [found["rule"]]),
            twin=f"/api/v1/alerts/{number}",
        )


def _rejects(routes: APIRouter, console: Console) -> None:
    front, reads = console.front, console.reader()

    @routes.get("/rejects")
    def rejects(
        request: Request,
        who: Principal = reads,
        after: After = 0,
    ) -> Response:
        """Show what no parser took, with the reason, in the order it came."""
        names = ["seq", "ingested", "source", "reason", "raw"]
        rows = front.log.reader.rejects(after, PER_PAGE + 1).select(names).to_pylist()
        return console.page(
            request,
            "rejects.html",
            who=who,
            items=[_cut(row) for row in rows[:PER_PAGE]],
            more=len(rows) > PER_PAGE,
            after=after,
            twin=f"/api/v1/rejects?after={after}",
        )


def _cut(row: Plain) -> Plain:
    return {
        **row,
        "ingested": rfc3339(row["ingested"]),
        "raw": row["raw"][:SHOWN],
        "size": len(row["raw"]),
    }
