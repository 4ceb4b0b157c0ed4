"""Commands about imported lists: wallets, addresses, domains and accounts that others know of."""

from pathlib import Path
from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, Limit, group, show, suite_at, table, warn, who

Name = Annotated[str, typer.Argument(help="Name of a list, such as bad_wallets.")]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    lists = group("Imported lists of wallets, addresses, domains and accounts.")
    lists.command("import")(lists_import)
    lists.command("list")(lists_list)
    lists.command("show")(lists_show)
    lists.command("remove")(lists_remove)
    app.add_typer(lists, name="lists")


def lists_import(
    file: Annotated[Path, typer.Argument(help="CSV with a head line, or a STIX 2.1 bundle.")],
    name: Annotated[str, typer.Option(help="What rules call it; by default the file's name.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it; you by default.")] = "",
    source: Annotated[str, typer.Option(help="Where it comes from; by default the file.")] = "",
    form: Annotated[str, typer.Option("--format", help="auto, csv or stix.")] = "auto",
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Let a list hold what a file says, and look for what is new among stored events.

    The same file twice changes nothing. A file with a mistake is not imported at all.
    """
    from soc.access.permissions import Permission
    from soc.app.listing import import_list  # defers pyarrow and SQLAlchemy
    from soc.errors import Refused
    from soc.intelligence.lists import About

    if form not in {"auto", "csv", "stix"}:
        raise Refused("--format: write auto, csv or stix")
    suite = suite_at(home)
    actor = who(suite)
    actor.require(Permission.AUTHOR)
    called = name or file.stem.lower().replace("-", "_")
    about = About(called, owner or actor.name, source or file.name)
    made = import_list(suite, about, file, file.read_bytes(), form, actor.name)
    past = made["history"]
    if past["problem"]:
        warn(past["problem"])
    counts = ("entries", "added", "changed", "removed", "unchanged", "expired")
    lines = [
        f"{called}: {', '.join(f'{made[key]} {key}' for key in counts)}",
        f"history: {past['events']} events of {past['entities']} entities, {past['alerts']} alerts",
    ]
    show(made, as_json, lines)


def lists_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List the imported lists."""
    from sqlmodel import col, select

    from soc.store.session import reading
    from soc.store.tables import IndicatorList
    from soc.web import views

    suite = suite_at(home)
    with reading(suite.database) as looking:
        found = looking.exec(select(IndicatorList).order_by(col(IndicatorList.name)))
        rows = views.counted(
            looking, [views.indicator_list(row) for row in found], suite.clock.now()
        )
    columns = ("name", "entries", "expired", "version", "imported", "owner", "source")
    show(rows, as_json, table(rows, *columns))


def lists_show(
    name: Name, home: HomeOption = HOME, limit: Limit = 1000, as_json: Json = False
) -> None:
    """Show a list with its entries."""
    from sqlmodel import col, select

    from soc.intelligence import lists
    from soc.store.session import reading
    from soc.store.tables import Indicator
    from soc.web import views

    suite = suite_at(home)
    with reading(suite.database) as looking:
        (found,) = views.counted(
            looking, [views.indicator_list(lists.get(looking, name))], suite.clock.now()
        )
        held = select(Indicator).where(col(Indicator.list) == name)
        order = (col(Indicator.kind), col(Indicator.value))
        rows = [views.indicator(row) for row in looking.exec(held.order_by(*order).limit(limit))]
    lines = [f"{key}: {value}" for key, value in found.items()]
    lines += table(rows, "kind", "value", "confidence", "expires", "label")
    show({**found, "items": rows}, as_json, lines)


def lists_remove(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why it is not needed any more.")],
    home: HomeOption = HOME,
) -> None:
    """Forget a list; rules that name it cannot be used then."""
    from soc.access.permissions import Permission
    from soc.intelligence import lists
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite)
    actor.require(Permission.AUTHOR)
    with session(suite.database) as writing:
        lists.remove(writing, name, reason, actor.name, suite.clock.now())
    typer.echo(f"{name} is forgotten")
