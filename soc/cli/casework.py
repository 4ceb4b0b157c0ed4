"""Commands that work incidents: merge, split, take up again, and what is kept with them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, suite_at, who

Id = Annotated[str, typer.Argument(help="An incident, such as INC-3.")]
Reason = Annotated[str, typer.Option(help="Why, in one line.")]


def add(incidents: typer.Typer) -> None:
    """Add the commands to the group *incidents*."""
    incidents.command("merge")(merge)
    incidents.command("split")(split)
    incidents.command("detach")(detach)
    incidents.command("undo")(undo)
    incidents.command("reopen")(reopen)
    incidents.command("rate")(rate)
    incidents.command("share")(share)
    incidents.command("name")(name)
    incidents.command("task")(task)
    incidents.command("attach")(attach)


def merge(
    incident: Id,
    into: Annotated[str, typer.Argument(help="The incident that takes its alerts.")],
    reason: Reason,
    home: HomeOption = HOME,
) -> None:
    """Put all alerts of an incident into another; `incidents undo` takes it back."""
    from soc.incidents import lifecycle, moves

    target = lifecycle.number_of(into)
    act = change(home, incident, partial(moves.merge, target=target, reason=reason))
    typer.echo(f"{incident} is part of {into}; take it back with: soc incidents undo {act}")


def split(
    incident: Id,
    alerts: Annotated[list[int], typer.Argument(help="Numbers of the alerts that go.")],
    reason: Reason,
    home: HomeOption = HOME,
) -> None:
    """Make an incident of some alerts of another."""
    from soc.incidents import moves

    new = change(home, incident, partial(moves.split, chosen=alerts, reason=reason))
    typer.echo(f"INC-{new} has {len(alerts)} alerts of {incident}")


def detach(incident: Id, alert: int, reason: Reason, home: HomeOption = HOME) -> None:
    """Take an alert out of an incident; found again, it does not come back to it."""
    from soc.incidents import moves

    act = change(home, incident, partial(moves.detach, alert=alert, reason=reason))
    typer.echo(f"alert {alert} is in no incident; take it back with: soc incidents undo {act}")


def undo(
    act: Annotated[int, typer.Argument(help="What a merge, split or detach is called.")],
    home: HomeOption = HOME,
) -> None:
    """Take a merge, split or detach back."""
    from soc.access.permissions import Permission
    from soc.incidents import moves
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite)
    actor.require(Permission.TRIAGE)
    with session(suite.database) as writing:
        number = moves.undo(writing, act, actor.name, suite.clock.now())
    typer.echo(f"INC-{number} has its alerts back")


def reopen(incident: Id, reason: Reason, home: HomeOption = HOME) -> None:
    """Take up an incident that came to rest; a person does this."""
    from soc.incidents import lifecycle

    change(home, incident, partial(lifecycle.reopen, reason=reason), person=True)
    typer.echo(f"{incident} is open again")


def rate(incident: Id, severity: str, home: HomeOption = HOME) -> None:
    """Say how bad an incident is: informational, low, medium, high or critical."""
    from soc.incidents import lifecycle
    from soc.model.value import Severity

    change(
        home, incident, partial(lifecycle.rate, severity=_one_of(Severity, severity, "severity"))
    )
    typer.echo(f"{incident} is {severity}")


def share(
    incident: Id,
    tlp: Annotated[str | None, typer.Option(help="red, amber+strict, amber, green, clear")] = None,
    pap: Annotated[str | None, typer.Option(help="red, amber, green, clear")] = None,
    home: HomeOption = HOME,
) -> None:
    """Say who may be told of an incident, and what may be asked outside about it."""
    from soc.incidents import sharing

    told = _one_of(sharing.Tlp, tlp, "--tlp") if tlp else None
    asked = _one_of(sharing.Pap, pap, "--pap") if pap else None
    change(home, incident, partial(sharing.mark, tlp=told, pap=asked))
    typer.echo("marked")


def name(
    incident: Id,
    entity: Annotated[str, typer.Argument(help="Such as ip:192.0.2.1 or eip155:1:0x….")],
    ignored: Annotated[
        bool | None, typer.Option("--ignored/--regarded", help="Whether sharing it means nothing.")
    ] = None,
    home: HomeOption = HOME,
) -> None:
    """Name somebody in an incident."""
    from soc.incidents import observables

    change(home, incident, partial(observables.name, text=entity, ignored=ignored))
    typer.echo("named")


def task(
    incident: Id,
    title: str,
    assignee: Annotated[str | None, typer.Option(help="Who does it.")] = None,
    home: HomeOption = HOME,
) -> None:
    """Put a task on an incident."""
    from soc.incidents import tasks

    change(home, incident, partial(tasks.add, title=title, assignee=assignee, due=None))
    typer.echo("added")


def attach(incident: Id, file: Path, home: HomeOption = HOME) -> None:
    """Keep a copy of a file with an incident."""
    from soc.errors import Illegal
    from soc.incidents import files

    if not file.is_file():
        raise Illegal(f"{file} is no file")
    if file.stat().st_size > files.LARGEST:
        raise Illegal(f"{file} is larger than {files.LARGEST:,} bytes")
    given = partial(files.attach, name=file.name, media_type="application/octet-stream")
    change(home, incident, partial(given, body=file.read_bytes()))
    typer.echo("attached")


def change(
    home: Path, incident: str, act: Callable[..., object], *, person: bool = False
) -> object:
    """Do *act* on an incident in a transaction, as who is at the keyboard."""
    from soc.access.permissions import Permission
    from soc.incidents import lifecycle
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite, person=person)
    actor.require(Permission.TRIAGE)
    number = lifecycle.number_of(incident)
    with session(suite.database) as writing:
        return act(writing, number, actor=actor.name, now=suite.clock.now())


def _one_of(kind: Any, text: str, what: str) -> Any:  # noqa: ANN401 - a closed set of words
    from soc.errors import Illegal

    try:
        return kind(text.lower())
    except ValueError as wrong:
        raise Illegal(f"{what}: write {', '.join(kind)}") from wrong
