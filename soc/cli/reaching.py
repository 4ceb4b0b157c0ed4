"""Commands about reaching people."""

from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, group, show, suite_at, table

Target = Annotated[str, typer.Argument(help="role:…, oncall:…, user:… or channel:…")]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    notify = group("Whom messages reach.")
    notify.command("list")(notify_list)
    notify.command("test")(notify_test)
    app.add_typer(notify, name="notify")


def notify_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List whom messages can be sent to, by which channels, and who is on call now."""
    from soc.app.reaching import contacts_of  # defers SQLAlchemy

    rows = contacts_of(suite_at(home))
    lines = [{**row, "channels": " ".join(row["channels"])} for row in rows]
    show(rows, as_json, table(lines, "target", "on_call", "channels"))


def notify_test(target: Target, home: HomeOption = HOME, as_json: Json = False) -> None:
    """Send a test message and say what became of it on each channel; exit with 1 if one failed."""
    from soc.app import reaching  # defers SQLAlchemy and Apprise

    rows = reaching.test(suite_at(home), target)
    show(rows, as_json, table(rows, "channel", "state", "place", "why"))
    if any(row["state"] == "failed" for row in rows):
        raise typer.Exit(1)
