"""What all commands share: the home, results on stdout, and who is at the keyboard."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from sqlmodel import Session, SQLModel

    from soc.access.permissions import Principal
    from soc.app.suite import Suite

Kind = TypeVar("Kind", bound="SQLModel")
HomeOption = Annotated[
    Path, typer.Option("--home", envvar="SOC_HOME", help="Directory of the installation.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
LAST_NUMBER = 2**63 - 1
"""No row has a higher number: the store and the event store count with 64 bits."""
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, newest first.")]
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
        found = finite(result)
        typer.echo(json.dumps(found, sort_keys=True, ensure_ascii=False, indent=1, default=plain))
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


def moment(text: str) -> datetime:
    """Return the moment that *text* writes, RFC 3339; without a zone it is UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise typer.BadParameter(f"{text!r}: write RFC 3339, as 2026-11-23T12:00:00Z") from wrong
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def plain(value: object) -> object:
    """Return *value* as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def finite(value: object) -> object:
    """Return *value* with null for every number that JSON cannot write: infinite, or none."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    return [finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def row_of(looking: "Session", table: "type[Kind]", kind: str, number: int) -> "Kind":
    """Return the row *number* of *table*; raises NotFound, also for what no row can be called."""
    from soc.errors import NotFound

    row = looking.get(table, number) if 0 < number <= LAST_NUMBER else None
    if row is None:
        raise NotFound(kind, str(number))
    return row


@contextmanager
def checking() -> Iterator[None]:
    """End with 2, as checks do, where settings or content have mistakes."""
    from soc.errors import ContentError, SettingsError

    try:
        yield
    except (ContentError, SettingsError) as mistakes:
        warn(mistakes)
        raise typer.Exit(2) from mistakes


def warn(text: object) -> None:
    """Say something that is no result."""
    typer.echo(str(text), err=True)


def who(suite: "Suite", *, person: bool = False) -> "Principal":
    """Return who acts: the holder of SOC_TOKEN, else the login of this machine.

    Some acts are a person's: without a person's token they raise AccessDenied.
    """
    from soc.access import keys  # defers SQLAlchemy
    from soc.access.permissions import LOCAL, Principal
    from soc.app.local import login
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
    return Principal(name=f"os:{login()}", permissions=LOCAL)


def fail(text: object, code: int = 1) -> None:
    """Say what is wrong and end with *code*."""
    warn(text)
    sys.exit(code)


def cache_folder() -> Path:
    """Return where a user's caches lie, by the XDG Base Directory Specification."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "commonwatch"
