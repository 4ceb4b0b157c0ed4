"""Commands about risk and retention: what is under control, and what is due to be forgotten."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from soc.cli.base import (
    HOME,
    HomeOption,
    Json,
    checking,
    group,
    moment,
    show,
    suite_at,
    table,
    warn,
)

Paths = Annotated[
    list[Path] | None, typer.Argument(exists=True, help="Files or folders; by default all.")
]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    threats = group("Risks, controls and what shows that they work.")
    threats.command("check")(threats_check)
    threats.command("report")(threats_report)
    app.add_typer(threats, name="threats")
    retention = group("How long data is kept.")
    retention.command("check")(retention_check)
    retention.command("plan")(retention_plan)
    app.add_typer(retention, name="retention")


def threats_check(paths: Paths = None, home: HomeOption = HOME) -> None:
    """Name every mistake in threat models, as path:line: message; exit with 2 if there is one."""
    from soc.app.home import Home
    from soc.app.reporting import check_models  # defers pySigma and all stages

    with checking():
        problems = check_models(Home(home.resolve()), paths)
    for problem in problems:
        warn(problem)
    if problems:
        raise typer.Exit(2)


def threats_report(
    out: Annotated[Path, typer.Option(help="Folder for report.json, report.md, report.html.")],
    home: HomeOption = HOME,
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="The moment that it speaks of, UTC; by default now."),
    ] = None,
    model: Annotated[str, typer.Option(help="Which threat model.")] = "qf",
    as_json: Json = False,
) -> None:
    """Write what is known of every control, and what risk is left; change nothing else."""
    from soc.app.reporting import report  # defers pySigma and all stages
    from soc.report.threats import document

    suite = suite_at(home)
    for problem in (*suite.rules.ruleset.failed, *suite.playbooks.problems):
        warn(problem)
    written = report(suite, out, as_of, model)
    result = document(written.assessment)
    rows = [
        {
            "risk": r["id"],
            "inherent": r["inherent"]["score"],
            "residual": r["residual"]["score"],
            "gaps": r["gaps"],
            "title": r["title"],
        }
        for r in result["risks"]
    ]
    summary = result["summary"]
    bare = f"{summary['bare_risks']} of {summary['risks']} top risks have no real control"
    lines = [
        f"{bare}; {summary['gaps']} gaps",
        *table(rows, "risk", "inherent", "residual", "gaps", "title"),
        *(str(path) for path in written.files),
    ]
    show(result, as_json, lines)


def retention_check(paths: Paths = None, home: HomeOption = HOME) -> None:
    """Name every mistake in policies of retention; exit with 2 if there is one."""
    from soc.app.home import Home
    from soc.app.reporting import check_policies  # defers all stages

    problems = check_policies(Home(home.resolve()), paths)
    for problem in problems:
        warn(problem)
    if problems:
        raise typer.Exit(2)


def retention_plan(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List what is due to be archived and deleted now; touch nothing."""
    from soc.app.reporting import retention_plan as plan_now  # defers all stages

    plan = plan_now(suite_at(home))
    for name in plan.unknown:
        warn(f"the policy has no class {name!r}, but events are stored in it: they are kept")
    items = [item.model_dump(mode="json") for item in plan.items]
    result = {
        "digest": plan.digest,
        "policy": plan.policy,
        "items": items,
        "unknown": list(plan.unknown),
    }
    columns = ("act", "data_class", "day", "rows", "due", "delete_by", "reason")
    show(result, as_json, [f"digest {plan.digest}", *table(items, *columns)])
