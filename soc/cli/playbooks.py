"""Commands about playbooks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from soc.cli import exchange
from soc.cli.base import HOME, HomeOption, Json, group, show, suite_at, table, warn, who

Paths = Annotated[
    list[Path] | None, typer.Argument(exists=True, help="Files or folders; by default all.")
]
Given = Annotated[
    list[str] | None, typer.Option("--input", help="An input, as NAME=VALUE; VALUE may be JSON.")
]
Incident = Annotated[str | None, typer.Argument(help="An incident, such as INC-3.")]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    playbooks = group("What is done about incidents.")
    playbooks.command("list")(playbooks_list)
    playbooks.command("check")(playbooks_check)
    playbooks.command("test")(playbooks_test)
    playbooks.command("plan")(playbooks_plan)
    playbooks.command("run")(playbooks_run)
    playbooks.command("simulate")(playbooks_simulate)
    playbooks.command("schema")(playbooks_schema)
    exchange.add(playbooks)
    app.add_typer(playbooks, name="playbooks")


def playbooks_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List the playbooks in use."""
    found = suite_at(home).playbooks
    rows = [
        {
            "playbook": p.name,
            "version": p.version,
            "title": p.title,
            "digest": p.digest,
            "signer": p.signature.signer if p.signature else None,
        }
        for p in found.usable
    ]
    for problem in found.problems:
        warn(problem)
    show(rows, as_json, table(rows, "playbook", "version", "title"))


def playbooks_check(paths: Paths = None) -> None:
    """Name every mistake in playbooks, as path:line: message; exit with 2 if there is one.

    Beyond the words themselves: what expressions read exists by then, secrets are listed, nothing
    that cannot be undone happens without an approval before it, no playbook runs itself.
    """
    from soc import plugins
    from soc.content.folders import packaged
    from soc.respond.check import check  # defers pydantic and Jinja2

    problems = check(paths or [packaged("playbooks")], plugins.load("soc.actions"))
    for problem in problems:
        warn(problem)
    if problems:
        raise typer.Exit(2)


def playbooks_test(
    paths: Paths = None,
    record: Annotated[
        int | None, typer.Option(help="Print a test made from this run instead.")
    ] = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Run the tests beside playbooks, on the real engine; exit with 1 if one fails."""
    if record is not None:
        _record(home, record)
        return
    from soc.app.testing import test_playbooks
    from soc.content.folders import packaged

    results, coverage = test_playbooks(paths or [packaged("playbooks")])
    failed = [result for result in results if result["problem"]]
    for result in failed:
        warn(f"{result['path']}: {result['test']}: {result['problem']}")
    told = {"results": results, "coverage": coverage}
    summary = {"tests": len(results), "failed": len(failed), **told}
    show(summary, as_json, [*_reached(coverage), f"tests: {len(results)}, failed: {len(failed)}"])
    if failed:
        raise typer.Exit(1)


def playbooks_plan(
    playbook: str,
    incident: Incident = None,
    given: Given = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Show what a playbook would do about an incident; do nothing."""
    from soc.app.planning import plan_for

    result = plan_for(suite_at(home), playbook, incident, inputs_of(given))
    steps: list[dict[str, Any]] = result["steps"]
    lines = [
        f"digest {result['digest']}",
        *table(steps, "step", "use", "subjects", "decision", "why"),
    ]
    show(result, as_json, lines)


def playbooks_run(
    playbook: str,
    incident: Incident = None,
    given: Given = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Keep a journal, and do nothing.")] = False,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Queue a run of a playbook by hand; a person of a role under ``on.manual`` does this."""
    from soc.app.planning import found
    from soc.respond.start import start
    from soc.store.session import session

    suite = suite_at(home)
    actor = who(suite, person=not dry)
    with session(suite.database) as writing:
        wanted = (found(suite, playbook), incident, inputs_of(given))
        number = start(writing, *wanted, actor, suite.clock.now(), is_dry=dry)
    show({"run": number}, as_json, [f"RUN-{number} is queued"])


def playbooks_simulate(
    slugs: Annotated[
        list[str] | None, typer.Argument(help="Playbooks; by default all that answer incidents.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back, such as 30d.")] = "30d",
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Say what playbooks would have done about the incidents of the store; do nothing.

    later_cleared: of the wallets that would have been held, those whose incident was closed as a
    false or benign positive. donations, amount: what held wallets gave while they were held, which
    a limit may let pass. caps: steps that guards would have kept waiting for people.
    """
    from soc.app.planning import simulate
    from soc.content.kinds import duration

    try:
        span = duration(since)
    except ValueError as wrong:
        raise typer.BadParameter(f"--since: {wrong}") from wrong
    rows = simulate(suite_at(home), slugs or [], span)
    columns = ("runs", "failed", "approvals", "wallets", "later_cleared", "donations", "amount")
    lines = table(
        [{**r, "caps": sum(r["caps"].values())} for r in rows], "playbook", *columns, "caps"
    )
    for row in rows:
        lines += [f"{row['playbook']}: {count} x {why}" for why, count in row["caps"].items()]
        for problem in row["problems"]:
            warn(f"{row['playbook']}: {problem}")
    show({"since": since, "playbooks": rows}, as_json, lines)


def playbooks_schema(out: exchange.Out = None) -> None:
    """Print the JSON Schema of playbooks, for editors."""
    from soc.content.kinds import schema_of
    from soc.respond.playbook import Playbook  # defers pydantic and Jinja2

    exchange.write(schema_of(Playbook, "playbook").encode(), out)


def inputs_of(given: list[str] | None) -> dict[str, Any]:
    """Return what ``--input`` gave: JSON where it is any, else the text itself."""
    import json

    inputs: dict[str, Any] = {}
    for text in given or []:
        name, mark, value = text.partition("=")
        if not mark:
            raise typer.BadParameter(f"{text}: write NAME=VALUE")
        try:
            inputs[name] = json.loads(value)
        except ValueError:
            inputs[name] = value
    return inputs


def _record(home: Path, number: int) -> None:
    from soc.app.testing import recorded

    typer.echo(recorded(suite_at(home), number), nl=False)


def _reached(coverage: list[dict[str, Any]]) -> list[str]:
    lines = []
    for one in coverage:
        steps = f"steps {one['steps_reached']}/{one['steps']}"
        branches = f"branches {one['branches_taken']}/{one['branches']}"
        missed = f"  ({'; '.join(one['missed'])})" if one["missed"] else ""
        lines.append(f"{one['playbook']}: {steps}, {branches}{missed}")
    return lines
