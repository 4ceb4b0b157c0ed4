"""Commands that make, run and check an installation."""

from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, checking, show, suite_at, warn


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(init)
    app.command()(serve)
    app.command()(work)
    app.command()(check)
    app.command(hidden=True)(front)


def init(home: HomeOption = HOME, admin: str = "admin", as_json: Json = False) -> None:
    """Make a new home and its first user; show the one-time password once."""
    from soc.access import accounts  # defers SQLAlchemy
    from soc.access.permissions import Role
    from soc.app.home import create
    from soc.audit import Act, record
    from soc.store.session import session

    create(home)
    suite = suite_at(home)
    now = suite.clock.now()
    with session(suite.database) as writing:
        roles = frozenset({Role.ADMIN, Role.APPROVER})
        password = accounts.add(writing, admin, roles, now)
        record(writing, Act(at=now, actor="soc", action="home.init", object=f"user:{admin}"))
    lines = [
        f"home      {home}",
        f"user      {admin}",
        f"password  {password}   (shown this once)",
        f"next      soc serve --home {home}",
    ]
    show({"home": str(home), "user": admin, "password": password}, as_json, lines)


def serve(
    home: HomeOption = HOME,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, instead of web.listeners.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port there; 0 takes a free one.", min=0, max=65535)
    ] = None,
) -> None:
    """Run the front door and a worker until Ctrl-C; start each again if it dies."""
    from soc.app import home as homes
    from soc.settings import read
    from soc.watch.supervisor import Child, stop_on_signal, supervise

    read(homes.find(home).settings)
    address = ("--host", host) if host is not None else ()
    at = ("--port", str(port)) if port is not None else ()
    place = ("--home", str(home))
    children = [
        Child("front", ("front", *place, *address, *at)),
        Child("worker", ("work", *place, "--supervised")),
    ]
    if not supervise(children, stop_on_signal()):
        raise typer.Exit(1)


def front(
    home: HomeOption = HOME, host: str | None = None, port: int | None = None, after: str = ""
) -> None:
    """Run the front door alone; the supervisor does this."""
    from soc.app.presence import at_work
    from soc.errors import ContentError, HomeError, LogError, SettingsError
    from soc.watch import lifeline
    from soc.watch.supervisor import REFUSED
    from soc.web.server import serve as serve_front

    lifeline.hold()
    try:
        suite = suite_at(home)
        if after:
            from soc.app.work import tell_of_death  # defers APScheduler

            tell_of_death(suite, after)
        for problem in suite.sources.problems:
            warn(problem)
        with at_work(suite.home):
            serve_front(suite, host, port)
    except (HomeError, SettingsError, ContentError, LogError) as refused:
        warn(refused)
        raise typer.Exit(REFUSED) from refused


def work(
    home: HomeOption = HOME,
    supervised: Annotated[bool, typer.Option(hidden=True)] = False,
    after: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Run one more worker: windows, playbook runs, effects whose time is over."""
    from soc.app.presence import at_work
    from soc.app.work import tell_of_death
    from soc.app.work import work as work_on
    from soc.errors import SettingsError
    from soc.watch import lifeline
    from soc.watch.supervisor import REFUSED, stop_on_signal

    if supervised:
        lifeline.hold()
    try:
        suite = suite_at(home)
        _ = suite.messenger  # a channel that cannot be used must stop the start, not a message
    except SettingsError as refused:
        warn(refused)
        raise typer.Exit(REFUSED) from refused
    if after:
        tell_of_death(suite, after)
    for problem in (*suite.rules.ruleset.failed, *suite.playbooks.problems):
        warn(problem)
    with at_work(suite.home):
        work_on(suite, stop_on_signal())


def check(home: HomeOption = HOME, as_json: Json = False) -> None:
    """Check settings, content and store; exit with 2 if settings or content have mistakes."""
    from soc.store.failure import name_of  # defers SQLAlchemy

    with checking():
        suite = suite_at(home)
    from soc.app import edges, reaching, sourcing  # defers all stages

    broken = [*sourcing.problems(suite), *reaching.problems(suite), *edges.problems(suite)]
    problems = [*suite.rules.ruleset.failed, *suite.playbooks.problems, *broken]
    view = suite.reader.view()
    for problem in problems:
        warn(problem)
    result = {
        "rules": len(suite.rules.ruleset.rules) + len(suite.rules.ruleset.correlations),
        "playbooks": len(suite.playbooks.usable),
        "sources": len(suite.sources.usable),
        "problems": [str(problem) for problem in problems],
        "last_seq": view.upto,
        "segments": len(view.segments),
        "store": name_of(suite.database),
        "edges": edges.words(suite),
    }
    show(result, as_json, [f"{key}: {value}" for key, value in result.items()])
    if problems:
        raise typer.Exit(2)
