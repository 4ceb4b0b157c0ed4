"""What all commands share: the home, results on stdout, and who is at the keyboard."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from soc.access.permissions import Principal
    from soc.app.suite import Suite

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="SOC_HOME", help="Directory of the installation.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
HOME = Path("soc-home")


def group(words: str) -> typer.Typer:
    """Return an empty group of commands."""
    return typer.Typer(help=words, no_args_is_help=True, rich_markup_mode=None)


def suite_at(home: Path) -> "Suite":
    """Return the wired suite of *home*."""
    from soc.app.suite import Suite  # defers pandas, SQLAlchemy and all stages

    return Suite(home)


def show(result: object, as_json: bool, lines: Sequence[str] = ()) -> None:
    """Print *result* as JSON, or *lines* for people."""
    if as_json:
        typer.echo(json.dumps(result, sort_keys=True, ensure_ascii=False, indent=1, default=plain))
    else:
        for line in lines:
            typer.echo(line)


def table(rows: Sequence[Mapping[str, Any]], *columns: str) -> list[str]:
    """Return *rows* as aligned lines under a head."""
    cells = [[str(row.get(c) if row.get(c) is not None else "-") for c in columns] for row in rows]
    widths = [
        max(len(c), *(len(line[i]) for line in cells), 1) if cells else len(c)
        for i, c in enumerate(columns)
    ]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [columns, *cells]
    ]


def plain(value: object) -> object:
    """Return *value* as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def warn(text: object) -> None:
    """Say something that is no result."""
    typer.echo(str(text), err=True)


def who(suite: "Suite", *, person: bool = False) -> "Principal":
    """Return who acts: the holder of SOC_TOKEN, else the login of this machine.

    Some acts are a person's: without a person's token they raise AccessDenied.
    """
    from soc.access import keys  # defers SQLAlchemy
    from soc.access.permissions import LOCAL, Principal
    from soc.errors import AccessDenied
    from soc.store.session import reading

    token = os.environ.get("SOC_TOKEN")
    if token:
        with reading(suite.database) as looking:
            found = keys.of_token(looking, token)
        if found.person or not person:
            return found
    if person:
        raise AccessDenied("only a person does this: put a person's token into SOC_TOKEN")
    login = os.environ.get("USER") or str(os.getuid())
    return Principal(name=f"os:{login}", permissions=LOCAL)


def fail(text: object, code: int = 1) -> None:
    """Say what is wrong and end with *code*."""
    warn(text)
    sys.exit(code)
