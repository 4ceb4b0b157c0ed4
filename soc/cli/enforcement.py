"""Commands about how effects are obeyed: compare, stop, start, write nginx's map."""

from pathlib import Path
from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, show, suite_at, table, who

Why = Annotated[str, typer.Option(help="Why, for the audit log and for who reads the banner.")]


def add(effects: typer.Typer) -> None:
    """Add the commands to the group *effects*."""
    effects.command("reconcile")(reconcile)
    effects.command("stop")(stop)
    effects.command("start")(start)
    effects.command("map")(write_map)


def reconcile(home: HomeOption = HOME, as_json: Json = False) -> None:
    """Compare what is in force with what every edge obeys; exit with 1 where they differ."""
    from soc.respond import reconcile as comparing
    from soc.store.session import session
    from soc.web import views

    suite = suite_at(home)
    policy, now = suite.settings.edges, suite.clock.now()
    with session(suite.database) as writing:
        comparing.verify(writing, policy, now)
        found = views.standing(comparing.standing(writing, policy, now))
    edges = table(
        found["edges"], "name", "state", "version", "age_s", "skew_ms", "applied", "failed"
    )
    held = [{**row, "waits_for": ", ".join(row["waits_for"]) or None} for row in found["effects"]]
    effects = table(held, "id", "kind", "subject", "version", "verified", "waits_for")
    troubles = [f"{one['rule']}: {one['title']}: {one['reason']}" for one in found["troubles"]]
    lines = [f"ledger at version {found['version']}", *edges, *effects, *troubles]
    show(found, as_json, lines)
    if troubles:
        raise typer.Exit(1)


def stop(reason: Why, home: HomeOption = HOME) -> None:
    """Stop all response: nobody is held back anew, asked or not; a person does this."""
    _turn(home, reason, is_stopped=True)


def start(reason: Why, home: HomeOption = HOME) -> None:
    """Let response run again; a person does this."""
    _turn(home, reason, is_stopped=False)


def write_map(
    out: Annotated[Path, typer.Option(help="The file that nginx includes.")],
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Write the quarantines in force as a file for nginx's ``map``."""
    from soc.respond import nginx_map
    from soc.store.session import reading

    suite = suite_at(home)
    with reading(suite.database) as looking:
        text, held = nginx_map.of(looking, suite.clock.now())
    nginx_map.write(out, text)
    show({"file": str(out), "subjects": held}, as_json, [f"{held} subjects are in {out}"])


def _turn(home: Path, reason: str, *, is_stopped: bool) -> None:
    from soc.access.permissions import Permission
    from soc.respond import stopping
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite, person=True)
    actor.require(Permission.RESPOND)
    turn = stopping.stop if is_stopped else stopping.start
    with session(suite.database) as writing:
        turn(writing, actor.name, reason, suite.clock.now())
    typer.echo(f"response is {'stopped' if is_stopped else 'running'}")
