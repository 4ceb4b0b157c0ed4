"""Commands about figures."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, moment, show, suite_at, table


def add(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("kpis")(kpis)


def kpis(
    window: Annotated[str, typer.Option(help="How far back, such as 24h or 7d.")] = "7d",
    around: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="Compare the windows before and after this moment."),
    ] = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Measure every figure, each with n, interval, window and freshness."""
    from soc.app.measuring import changes, figures, window_of

    if around:
        told = changes(suite_at(home), around, window_of(window))
        rows = [_changed(one) for one in told]
        show(told, as_json, table(rows, "kpi", "before", "after", "difference", "interval", "why"))
        return
    found = figures(suite_at(home), window_of(window))
    shown = [_words(one) for one in found]
    show(found, as_json, table(shown, "kpi", "value", "interval", "n", "level", "why"))


def _words(told: Mapping[str, Any]) -> dict[str, Any]:
    interval = "-" if told["low"] is None else f"{told['low']:.4g} to {told['high']:.4g}"
    value = _value(told["value"], told["unit"])
    return {**told, "value": value, "interval": interval, "why": told["reason"]}


def _changed(told: Mapping[str, Any]) -> dict[str, Any]:
    unit = told["unit"]
    values = {key: _value(told[key]["value"], unit) for key in ("before", "after")}
    interval = "-" if told["low"] is None else f"{told['low']:+.4g} to {told['high']:+.4g}"
    difference = "-" if told["difference"] is None else f"{told['difference']:+.4g}"
    sure = {True: "changed", False: "no sure change", None: told["why"]}[told["changed"]]
    return {**told, **values, "difference": difference, "interval": interval, "why": sure}


def _value(value: float | None, unit: str) -> str:
    return "No data" if value is None else f"{value:.4g} {unit}"
