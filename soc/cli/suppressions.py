"""Commands about suppressions: what people do not want to be told of for a time."""

from typing import Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, Limit, group, moment, show, suite_at, table, who

Rule = Annotated[str, typer.Option(help="Slug of a rule.")]
About = Annotated[str, typer.Option(help="Such as wallet:0xab, ip:192.0.2.0/24 or list:NAME.")]
Matched = Annotated[str, typer.Option("--match", help="A matched field=value.")]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    suppressions = group("What is hidden for a time, by whom and why.")
    suppressions.command("list")(suppressions_list)
    suppressions.command("test")(suppressions_test)
    suppressions.command("add")(suppressions_add)
    suppressions.command("expire")(suppressions_expire)
    app.add_typer(suppressions, name="suppressions")


def suppressions_list(home: HomeOption = HOME, limit: Limit = 100, as_json: Json = False) -> None:
    """List suppressions, newest first."""
    from sqlmodel import col, select

    from soc.store.session import reading
    from soc.store.tables import Suppression
    from soc.web import views

    suite = suite_at(home)
    now = suite.clock.now()
    with reading(suite.database) as looking:
        found = select(Suppression).order_by(col(Suppression.id).desc()).limit(limit)
        rows = [views.suppression(row, now) for row in looking.exec(found)]
    columns = ("id", "state", "scope", "alerts", "findings", "last_hit", "until", "owner", "reason")
    show(rows, as_json, table(rows, *columns))


def suppressions_test(
    rule: Rule = "",
    entity: About = "",
    match: Matched = "",
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Say what would have been hidden in 90 days; hide nothing."""
    from soc.incidents import suppressions
    from soc.store.session import reading
    from soc.web import views

    suite = suite_at(home)
    with reading(suite.database) as looking:
        found = suppressions.test(looking, _scope(rule, entity, match), suite.clock.now())
    verdicts = ", ".join(f"{count} {name}" for name, count in found.verdicts.items())
    lines = [found.words, f"verdicts: {verdicts or 'none'}", f"seen: {found.seen}"]
    show(views.back_test(found), as_json, lines)


def suppressions_add(
    reason: Annotated[str, typer.Option(help="Why nobody needs to be told.")],
    seen: Annotated[str, typer.Option(help="What the test of the same scope printed as seen.")],
    span: Annotated[str, typer.Option("--for", help="How long, such as 14d; 90d at most.")] = "",
    until: Annotated[str, typer.Option(help="Or until when.")] = "",
    mode: Annotated[str, typer.Option(help="monitor counts, active hides.")] = "monitor",
    owner: Annotated[str, typer.Option(help="Who looks at it again; you by default.")] = "",
    rule: Rule = "",
    entity: About = "",
    match: Matched = "",
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Save a suppression whose test was seen; a person does this."""
    from soc.access.permissions import Permission
    from soc.content.kinds import duration
    from soc.errors import Refused
    from soc.incidents import suppressions
    from soc.store.session import session
    from soc.web import views

    suite = suite_at(home)
    actor = who(suite, person=True)
    actor.require(Permission.TRIAGE)
    now = suite.clock.now()
    if mode not in set(suppressions.Mode):
        raise Refused(f"mode: write {' or '.join(suppressions.Mode)}")
    if bool(span) is bool(until):
        raise Refused("write either --for, such as 14d, or --until and a moment")
    try:
        end = now + duration(span) if span else moment(until)
    except ValueError as wrong:
        raise Refused(f"{span or until}: {wrong}") from wrong
    wanted = suppressions.Wanted(
        **_scope(rule, entity, match).model_dump(),
        owner=owner or actor.name,
        reason=reason,
        mode=suppressions.Mode(mode),
        until=end,
        seen=seen,
    )
    with session(suite.database) as writing:
        row = views.suppression(suppressions.add(writing, wanted, actor.name, now), now)
    show(row, as_json, [f"{row['id']} is {row['state']} until {row['until']}: {row['scope']}"])


def suppressions_expire(
    suppression: Annotated[str, typer.Argument(help="A suppression, such as SUP-3.")],
    reason: Annotated[str, typer.Option(help="Why it ends now.")],
    home: HomeOption = HOME,
) -> None:
    """End a suppression at once; a person does this."""
    from soc.access.permissions import Permission
    from soc.errors import NotFound
    from soc.incidents import lifecycle, suppressions
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite, person=True)
    actor.require(Permission.TRIAGE)
    try:
        number = lifecycle.number_of(suppression.upper().removeprefix("SUP-"))
    except NotFound as none:
        raise NotFound("suppression", suppression) from none
    with session(suite.database) as writing:
        suppressions.withdraw(writing, number, reason, actor.name, suite.clock.now())
    typer.echo(f"SUP-{number} is withdrawn: findings open alerts again")


def _scope(rule: str, entity: str, match: str) -> Any:  # noqa: ANN401 - defers pydantic
    from soc.incidents.scope import parted, scope_of

    field, value = parted(match)
    return scope_of(rule=rule, entity=entity, field=field, value=value)
