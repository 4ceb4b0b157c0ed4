"""Commands about funding rounds."""

import typer

from soc.cli.base import HOME, HomeOption, Json, group, show, suite_at, table


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    rounds = group("Funding rounds, as the platform's events tell them.")
    rounds.command("list")(rounds_list)
    rounds.command("show")(rounds_show)
    app.add_typer(rounds, name="rounds")


def rounds_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List funding rounds with what was given."""
    from soc.funding import projection
    from soc.store.session import reading

    with reading(suite_at(home).database) as looking:
        rows = projection.rounds(looking)
    show(
        rows, as_json, table(rows, "id", "name", "phase", "gifts", "on_chain", "wallets", "amount")
    )


def rounds_show(round_id: str, home: HomeOption = HOME, as_json: Json = False) -> None:
    """Show a round: what its pool pays with and without the wallets of open incidents."""
    from soc.errors import NotFound
    from soc.incidents import rounds
    from soc.incidents.money import percent
    from soc.store.session import reading

    suite = suite_at(home)
    with reading(suite.database) as looking:
        money = suite.settings.incidents.money
        found = rounds.whole(looking, round_id, money, suite.clock.now())
    if found is None:
        raise NotFound("round", round_id)
    lines = [
        f"{key}: {'-' if value is None else value}"
        for key, value in found.items()
        if key not in {"projects", "clusters", "fraud_tax"}
    ]
    if found["fraud_tax"] is not None:
        lines.append(f"fraud tax: {percent(found['fraud_tax'])} of the pool")
    columns = ("id", "name", "gifts", "wallets", "suspects", "amount", "counted", "left_out")
    lines += table(found["projects"], *columns, "change")
    lines += table(found["clusters"], "incident", "severity", "wallets", "amount", "at_risk")
    show(found, as_json, lines)
