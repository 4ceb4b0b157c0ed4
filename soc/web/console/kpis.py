"""KPIs: figures, how they went, and how good each rule is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.app.measuring import Board, changes, window_of
from soc.errors import Illegal, QueryError
from soc.incidents.kpis.rows import HOUR
from soc.model.value import micros, moment_of
from soc.report import charts
from soc.web.console.shell import Console, moment_in
from soc.web.front import Front
from soc.web.kpis import Window

Plain = dict[str, Any]
Around = Annotated[str, Query(max_length=40)]
WINDOWS = ("24h", "7d", "30d", "90d")
POINTS = 168
"""Points of a series at most."""
LEVELS = {
    "good": ("ok", "Good"),
    "watch": ("new", "Watch"),
    "warning": ("warn", "Warning"),
    "critical": ("bad", "Critical"),
    "none": ("off", "Not judged"),
}
SERIES = (
    ("event-lag-max", "lag_us", 1_000_000.0, " s", "max"),
    ("api-error-rate", "errors", 0.01, " %", "share"),
    ("suspicious-per-hour", "alerts", 1.0, "", "sum"),
)
"""Which figures are drawn: of which column, in which unit, and how hours become one point."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the page."""
    front, reads = console.front, console.reader()
    board = Board(front.suite)

    @routes.get("/kpis")
    def kpis(
        request: Request, who: Principal = reads, window: Window = "7d", around: Around = ""
    ) -> Response:
        """Show every figure of a window, and how they changed around a moment."""
        span = window_of(window)
        compared, refused = _compared(front, around, span)
        found = board.figures(span)
        by_slug = {told["kpi"]: told for told in found}
        drawn = [
            _chart(by_slug[slug], board.rows(slug, span).rows, column, scale, unit, how)
            for slug, column, scale, unit, how in SERIES
        ]
        return console.page(
            request,
            "kpis.html",
            who=who,
            figures=found,
            levels=LEVELS,
            charts=drawn,
            rules=[_ruled(part) for part in by_slug["precision"]["parts"]],
            window=window,
            windows=WINDOWS,
            around=around,
            changes=compared,
            refused=refused,
            said=said,
            twin=f"/api/v1/kpis?window={window}",
        )


def _compared(front: Front, around: str, span: timedelta) -> tuple[list[Plain], str]:
    """Return how figures changed, or why that cannot be said."""
    try:
        moment = moment_in("moment", around)
        return (changes(front.suite, moment, span) if moment else []), ""
    except (Illegal, QueryError) as refused:
        return [], str(refused)


def said(value: float | None, unit: str) -> tuple[str, str]:
    """Return a value and its unit as people read them."""
    if value is None:
        return "No data", ""
    if unit == "share":
        return f"{100 * value:.1f}", "%"
    if unit == "milliseconds":
        return f"{value:,.0f}", "ms"
    if unit == "seconds":
        return _span(value)
    return f"{value:,.0f}", "in an hour" if unit == "per_hour" else ""


def _span(seconds: float) -> tuple[str, str]:
    sign = "\N{MINUS SIGN}" if seconds < 0 else ""
    size = abs(seconds)
    for word, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if size >= 2 * length:
            return f"{sign}{size / length:,.1f}", word
    return f"{sign}{size:,.1f}", "s"


def _ruled(part: Plain) -> Plain:
    """Return what is drawn of a rule's precision: an interval and its middle, of ROW."""
    if part["value"] is None:
        return {**part, "places": None}
    return {
        **part,
        "places": [round(charts.ROW * part[end], 1) for end in ("low", "value", "high")],
    }


def _chart(
    told: Plain, found: Sequence[Plain], column: str, scale: float, unit: str, how: str
) -> Plain:
    """Return one series, hour by hour or in larger steps, as a picture and as numbers."""
    since, until = (_hour(told[end]) for end in ("since", "until"))
    step = max(1, -(-(until - since + 1) // POINTS))
    parts: dict[int, list[Plain]] = {}
    for row in found:
        parts.setdefault((row["hour_us"] // HOUR - since) // step, []).append(row)
    count = -(-(until - since + 1) // step)
    quiet = 0.0 if how == "sum" and told["value"] is not None else None
    values = [_point(parts[n], column, scale, how) if n in parts else quiet for n in range(count)]
    moments = [moment_of((since + n * step) * HOUR) for n in range(count)]
    short = "%H:%M" if until - since < 48 else "%d %b"  # noqa: PLR2004 - hours of two days
    limits = told["thresholds"] or []
    ticks = [f"{moments[round(part * (count - 1) / 4)]:{short}}" for part in range(5)]
    by = scale if how == "share" else 1.0
    shown = [("limit", limits[1] / by), ("limit-2", limits[2] / by)] if limits else []
    return {
        "slug": told["kpi"],
        "title": told["title"],
        "sub": f"per {'hour' if step == 1 else f'{step} hours'}, UTC{',' + unit if unit else ''}",
        "plot": charts.series(values, ticks, shown, unit),
        "limits": [f"{value:g}{unit}" for _, value in shown],
        "has_data": any(value is not None for value in values) and told["value"] is not None,
        "reason": told["reason"],
        "rows": [
            (f"{moment:%Y-%m-%d %H:%M}", f"{value:,.4g}{unit}")
            for moment, value in zip(moments, values, strict=True)
            if value is not None
        ],
        "level": told["level"],
    }


def _point(found: Sequence[Plain], column: str, scale: float, how: str) -> float | None:
    known = [row[column] for row in found if row[column] is not None]
    if not known:
        return None
    if how == "max":
        return float(max(known)) / scale
    if how == "share":
        return float(sum(known) / sum(row["requests"] for row in found) / scale)
    return float(sum(known)) / scale


def _hour(text: str) -> int:
    return micros(datetime.fromisoformat(text)) // HOUR
