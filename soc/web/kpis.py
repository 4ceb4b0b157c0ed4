"""The API of figures, and of the rows that they are made of."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from soc.access.permissions import Permission
from soc.app.measuring import Board, changes, rows, window_of
from soc.incidents.kpis.definitions import BY_SLUG
from soc.web.asked import Plain, needs
from soc.web.front import Front

Window = Annotated[str, Query(max_length=10, description="How far back, such as 24h or 7d.")]
FORMS: dict[str, Any] = {"application/json": {}, "text/csv": {}}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of figures to *routes*."""
    reads = needs(front, Permission.READ)
    board = Board(front.suite)

    @routes.get("/kpis", tags=["kpis"], dependencies=[reads])
    def measured(window: Window = "7d") -> Plain:
        """Return every figure with n, value, interval, window, freshness, query and definition."""
        return {"items": board.figures(window_of(window))}

    @routes.get("/kpis/changes", tags=["kpis"], dependencies=[reads])
    def changed(around: AwareDatetime, window: Window = "7d") -> Plain:
        """Return how figures of the window after a moment differ from those before it."""
        return {"items": changes(front.suite, around, window_of(window))}

    @routes.get(
        "/kpis/rows",
        tags=["kpis"],
        dependencies=[reads],
        response_model=None,
        responses={200: {"content": FORMS}},
    )
    def flat(
        kpi: Annotated[str, Query(max_length=64)],
        window: Window = "7d",
        form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    ) -> Response | Plain:
        """Return the rows that a figure is made of, for recomputing it: JSON, or CSV as a file."""
        found = rows(front.suite, kpi, window_of(window))
        if form == "csv":
            return Response(
                table(found.rows),
                media_type="text/csv",
                headers={"Content-Disposition": f'attachment; filename="{kpi}.csv"'},
            )
        return {
            "kpi": kpi,
            "query": BY_SLUG[kpi].query,
            "reason": found.reason,
            "items": list(found.rows),
        }


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return *found* as CSV; text that would be a formula begins with an apostrophe."""
    out = io.StringIO()
    names = list(found[0]) if found else []
    writer = csv.DictWriter(out, names, lineterminator="\n")
    if names:
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in found)
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
