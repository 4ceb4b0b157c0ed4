"""Alerts with their evidence."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlmodel import col, select
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.errors import NotFound
from soc.store.tables import Alert
from soc.web import explain, views
from soc.web.console import saved
from soc.web.console.shell import Console, PageNumber, number_of, paged
from soc.web.suppressions import is_counted_by

Plain = dict[str, Any]
Days = Annotated[int | None, Query(ge=1, le=3_660)]


def add(routes: APIRouter, console: Console) -> None:
    """Add the pages."""
    front, reads = console.front, console.reader()

    @routes.get("/alerts")
    def alerts(
        request: Request,
        who: Principal = reads,
        rule: str = "",
        incident: str = "",
        suppression: str = "",
        days: Days = None,
        page: PageNumber = 1,
    ) -> Response:
        """Show alerts, newest first; of the last *days* alone, if they are said."""
        wanted = [col(Alert.rule) == rule] if rule else []
        if days:
            wanted.append(col(Alert.created) >= front.suite.clock.now() - timedelta(days=days))
        if incident:
            wanted.append(col(Alert.incident) == number_of("incident", incident))
        if suppression:
            wanted.append(is_counted_by(suppression))
        found = select(Alert).where(*wanted).order_by(col(Alert.id).desc())
        with front.reading() as looking:
            listed = paged(looking, found, views.alert, page)
            own = saved.listed(looking, who, "/alerts")
        kept = {"rule": rule, "incident": incident, "suppression": suppression, "days": days}
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
            now = front.suite.clock.now()
            found = views.with_labels(looking, whole, now)
            past = explain.history(looking, row.rule, now)
        return console.page(
            request,
            "alert.html",
            who=who,
            alert=found,
            rule=explain.written(front.suite, found),
            past=past,
            twin=f"/api/v1/alerts/{number}",
        )
