"""Commands that look after an installation as a whole: move its store, back it up."""

import sys
from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, group, show, suite_at, table, who


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    migrate = group("Move an installation's parts elsewhere.")
    migrate.command("store")(migrate_store)
    app.add_typer(migrate, name="migrate")


def migrate_store(
    to: Annotated[
        str,
        typer.Option(
            help="URL of an empty store; - reads it from standard input, where nobody sees it."
        ),
    ],
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Copy the store into an empty one, compare both, and say which setting to write."""
    from soc.app.moving import move_store  # defers SQLAlchemy
    from soc.store.engine import engine_of
    from soc.store.failure import name_of

    suite = suite_at(home)
    url = sys.stdin.readline().strip() if to == "-" else to
    held = move_store(suite, url, who(suite).name)
    place = name_of(engine_of(url)).removeprefix("the store ")
    rows = sorted((one.model_dump() for one in held), key=lambda row: str(row["table"]))
    lines = [
        *table(rows, "table", "rows", "sha256"),
        f"{sum(one.rows for one in held)} rows, the same in both. To use the copy, write into",
        f"{suite.home.settings}, with the password:",
        "store:",
        f"  url: {place}",
    ]
    show({"tables": rows, "store.url": place}, as_json, lines)
