"""Commands about people and tokens."""

from typing import Annotated

import typer

from soc.cli.base import HOME, HomeOption, Json, group, show, suite_at, table, who


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    users = group("People.")
    users.command("add")(users_add)
    users.command("list")(users_list)
    app.add_typer(users, name="users")
    tokens = group("Keys for machines, and for a person's own commands.")
    tokens.command("create")(tokens_create)
    tokens.command("revoke")(tokens_revoke)
    app.add_typer(tokens, name="tokens")


def users_add(
    name: str,
    role: Annotated[list[str], typer.Option(help="One of the seven roles; may be repeated.")],
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Make a user; show the one-time password once."""
    from soc.access import accounts
    from soc.access.permissions import Permission, Role
    from soc.audit import Act, record
    from soc.content.document import did_you_mean
    from soc.store.session import session

    for given in role:
        if given not in set(Role):
            raise typer.BadParameter(f"no role {given!r}: {did_you_mean(given, Role)}")
    suite = suite_at(home)
    actor, now = who(suite), suite.clock.now()
    actor.require(Permission.ADMIN)
    with session(suite.database) as writing:
        password = accounts.add(writing, name, frozenset(map(Role, role)), now)
        act = Act(
            at=now,
            actor=actor.name,
            action="user.add",
            object=f"user:{name}",
            reason=", ".join(sorted(role)),
        )
        record(writing, act)
    show({"user": name, "password": password}, as_json, [f"{name}: {password}   (shown this once)"])


def users_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List users and their roles."""
    from soc.access import accounts
    from soc.store.session import reading

    with reading(suite_at(home).database) as looking:
        rows = [
            {"user": name, "roles": roles, "disabled": disabled}
            for name, roles, disabled in accounts.everyone(looking)
        ]
    show(rows, as_json, table(rows, "user", "roles", "disabled"))


def tokens_create(
    name: Annotated[str, typer.Option(help="What it is called.")],
    scope: Annotated[
        str, typer.Option(help="ingest, authz, read, triage, respond, admin or audit.")
    ],
    home: HomeOption = HOME,
    user: Annotated[str | None, typer.Option(help="Whose commands it is for.")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="What all that it sends goes under; it sends no other."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token; show it once."""
    from soc.app.tokens import make_token

    suite = suite_at(home)
    token = make_token(suite, who(suite), name, scope, user, source)
    told = {"name": name, "scope": scope, "user": user, "source": source, "token": token}
    show(told, as_json, [token])


def tokens_revoke(name: str, home: HomeOption = HOME) -> None:
    """End a token."""
    from soc.access import keys
    from soc.access.permissions import Permission
    from soc.audit import Act, record
    from soc.store.session import session

    suite = suite_at(home)
    actor, now = who(suite), suite.clock.now()
    actor.require(Permission.ADMIN)
    with session(suite.database) as writing:
        keys.revoke_token(writing, name, now)
        record(
            writing, Act(at=now, actor=actor.name, action="token.revoke", object=f"token:{name}")
        )
    typer.echo(f"{name} is revoked")
