"""Commands that look after an installation as a whole: move its store, back it up."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, group, show, suite_at, table, warn, who

BackupPath = Annotated[Path, typer.Argument(help="The folder or .tar file of a backup.")]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    migrate = group("Move an installation's parts elsewhere.")
    migrate.command("store")(migrate_store)
    app.add_typer(migrate, name="migrate")
    backup = group("Make, prove and restore backups.")
    backup.command("create")(backup_create)
    backup.command("verify")(backup_verify)
    backup.command("restore")(backup_restore)
    app.add_typer(backup, name="backup")


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


def backup_create(
    out: Annotated[Path, typer.Option(help="A new folder, or a new file that ends in .tar.")],
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Back up settings, content, store and events, also while the suite is at work."""
    from soc.app.backup.create import create  # defers SQLAlchemy and pyarrow

    suite = suite_at(home)
    made = create(suite, out, who(suite).name)
    result = {
        "backup": str(out),
        "bytes": sum(one.bytes for one in made.files),
        "files": len(made.files),
        "last_seq": made.last_seq,
        "revision": made.revision,
    }
    show(result, as_json, [f"{key.replace('_', ' ')}: {value}" for key, value in result.items()])


def backup_verify(backup: BackupPath, as_json: Json = False) -> None:
    """Read all of a backup again; name each file that is not what it was; exit with 1 then."""
    from soc.app.backup.verify import opened, problems  # defers SQLAlchemy and pyarrow

    with opened(backup) as place:
        wrong = problems(place)
    show({"ok": not wrong, "problems": wrong}, as_json, [] if wrong else [f"{backup} is whole"])
    for problem in wrong:
        warn(problem)
    if wrong:
        raise typer.Exit(1)


def backup_restore(
    backup: BackupPath,
    to: Annotated[Path, typer.Option(help="The home to make: an empty or a new directory.")],
    store: Annotated[
        str | None,
        typer.Option(help="URL of an empty database for the store; - reads it from stdin."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a home of a backup that is whole; it goes on where the backup ended."""
    from soc.app.backup.restore import restore  # defers SQLAlchemy and pyarrow
    from soc.app.local import login
    from soc.clock import SystemClock

    url = sys.stdin.readline().strip() if store == "-" else store
    found = restore(backup, to, url, f"os:{login()}", SystemClock())
    result = {"home": str(to), "made": found.made, "last_seq": found.last_seq}
    lines = [f"{to} is as it was at {found.made:%Y-%m-%dT%H:%M:%SZ}, up to event {found.last_seq}"]
    show(result, as_json, lines)
