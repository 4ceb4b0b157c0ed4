"""Commands about what is learned from users and their transactions."""

from pathlib import Path
from typing import Annotated

import typer

from soc.cli import experiments, learning
from soc.cli.base import HOME, HomeOption, Json, group, moment, show, suite_at, table
from soc.cli.clusters import clusters
from soc.cli.study import AsOf, Currency, Decimals
from soc.cli.tastes import associations, recommend


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    commands = group("What is learned from users and their transactions.")
    commands.command("build")(build)
    commands.command("features")(features)
    commands.command("report")(report)
    learning.add(commands)
    experiments.add(commands)
    commands.command("clusters")(clusters)
    commands.command("recommend")(recommend)
    commands.command("associations")(associations)
    app.add_typer(commands, name="intelligence")


def build(
    full: Annotated[bool, typer.Option("--full", help="Read all events again.")] = False,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Make the next version of the view of users and transactions from stored events.

    Transactions that break a constraint are set aside and counted with the reason.
    """
    from soc.app.studies import build_view  # defers DuckDB

    made = build_view(suite_at(home), full=full)
    rows = made["rows"]
    counted = ", ".join(f"{rows[name]} {name}" for name in ("users", "transactions"))
    lines = [
        f"version {made['version']}: {counted}, {made['added']} events added",
        *(f"set aside: {count}, {reason}" for reason, count in sorted(made["refused"].items())),
    ]
    show(made, as_json, lines)


def features(
    out: Annotated[Path | None, typer.Option(help="File for the table: .csv or .parquet.")] = None,
    as_of: AsOf = "",
    currency: Currency = "",
    decimals: Decimals = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Describe every user as of a moment; without a file, say what each feature is."""
    from soc.app.studies import features as built  # defers DuckDB
    from soc.intelligence.features.build import write

    when = moment(as_of) if as_of else None
    view, frame = built(suite_at(home), when, currency or None, decimals)
    if out:
        write(frame, out)
    told = {
        "view": view.manifest.version,
        "as_of": frame.as_of,
        "currency": frame.currency,
        "fresh": frame.fresh,
        "users": frame.table.num_rows,
        "schema": frame.schema,
        "features": [
            {
                "name": one.name,
                "unit": one.unit,
                "definition": one.definition,
                "missing": frame.table[one.name].null_count,
            }
            for one in frame.features
        ],
    }
    show(told, as_json, table(told["features"], "name", "unit", "missing", "definition"))


def report(
    out: Annotated[Path | None, typer.Option(help="Folder for story.html and story.json.")] = None,
    window: Annotated[str, typer.Option(help="How far back figures and drift look.")] = "",
    as_of: AsOf = "",
    currency: Currency = "",
    decimals: Decimals = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Tell what the data say: shares, times, features, models and figures, with intervals.

    The console shows the last report.
    """
    from soc.app.measuring import window_of
    from soc.app.telling import keep, story  # defers DuckDB
    from soc.report.story import sentences, write

    suite = suite_at(home)
    when = moment(as_of) if as_of else None
    span = window_of(window) if window else suite.settings.intelligence.window
    told = story(suite, span, when, currency or None, decimals)
    keep(suite, told)
    written = [str(path) for path in write(told, out)] if out else []
    show({"files": written, "result": sentences(told)}, as_json, [*sentences(told), *written])
