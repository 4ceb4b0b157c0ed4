"""Commands about figures."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, show, suite_at, table


def add(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("kpis")(kpis)


def kpis(
    window: Annotated[str, typer.Option(help="How far back, such as 24h or 7d.")] = "7d",
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Measure every figure, each with n, interval, window and freshness."""
    from soc.app.measuring import figures, window_of

    found = figures(suite_at(home), window_of(window))
    shown = [_words(one) for one in found]
    show(found, as_json, table(shown, "kpi", "value", "interval", "n", "level", "why"))


def _words(told: Mapping[str, Any]) -> dict[str, Any]:
    interval = "-" if told["low"] is None else f"{told['low']:.4g} to {told['high']:.4g}"
    value = "No data" if told["value"] is None else f"{told['value']:.4g} {told['unit']}"
    return {**told, "value": value, "interval": interval, "why": told["reason"]}
