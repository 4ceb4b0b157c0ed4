"""Commands about rules."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from soc.cli.base import HOME, HomeOption, Json, group, moment, show, suite_at, table, warn, who

Paths = Annotated[
    list[Path] | None, typer.Argument(exists=True, help="Files or folders; by default all.")
]


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    rules = group("Detection rules.")
    rules.command("check")(rules_check)
    rules.command("test")(rules_test)
    rules.command("health")(rules_health)
    rules.command("coverage")(rules_coverage)
    rules.command("convert")(rules_convert)
    rules.command("enable")(rules_enable)
    rules.command("disable")(rules_disable)
    rules.command("mode")(rules_mode)
    app.add_typer(rules, name="rules")


def rules_check(
    paths: Paths = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 2 for warnings too.")] = False,
    as_json: Json = False,
) -> None:
    """Name every mistake in rules, as path:line: message; exit with 2 if there is one.

    Mistakes make a rule useless: it cannot be loaded, can never be true, or shares its id. Warnings
    are about the rest: unknown techniques, rules that ask the same, selections that no condition
    uses, costly patterns, missing samples.
    """
    from soc.content.folders import packaged
    from soc.detect.sigma.lint.check import check  # defers pySigma
    from soc.detect.sigma.load import load_rules

    asked = paths or [packaged("rules")]
    ruleset = load_rules(asked)
    findings = check(asked, ruleset)
    for finding in findings:
        warn(finding)
    result = {
        "rules": len(ruleset.rules),
        "correlations": len(ruleset.correlations),
        "failed": len(ruleset.failed),
        "warnings": sum(not one.is_error for one in findings),
    }
    told = [
        {
            "path": str(one.problem.path),
            "line": one.problem.line,
            "message": one.problem.message,
            "severity": "error" if one.is_error else "warning",
        }
        for one in findings
    ]
    lines = [f"{key}: {value}" for key, value in result.items()]
    show({**result, "findings": told}, as_json, lines)
    if any(one.is_error or strict for one in findings):
        raise typer.Exit(2)


def rules_test(
    paths: Paths = None,
    cross: Annotated[
        bool, typer.Option("--cross", help="Also show each sample to all the other rules.")
    ] = False,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Run the samples beside rules; exit with 1 if one comes out otherwise.

    Where there is a home, the results are written to its audit log, as evidence. With --cross, a
    table tells which rule fires on a sample of another; on a benign one it must not, unless the
    sample lists it under also.
    """
    from soc.app.testing import cross_rules, test_rules
    from soc.content.folders import packaged

    asked = paths or [packaged("rules")]
    results = test_rules(asked, home)
    failed = [result for result in results if result["problem"]]
    summary = {"samples": len(results), "failed": len(failed), "results": results}
    lines = [f"samples: {len(results)}, failed: {len(failed)}"]
    if cross:
        crossings, mistakes = cross_rules(asked)
        failed += mistakes
        summary |= {"cross": crossings, "cross_failed": len(mistakes)}
        columns = ("fires", "rule", "sample", "benign", "explained")
        lines += [f"crossings: {len(crossings)}, failed: {len(mistakes)}"]
        lines += table(crossings, *columns) if crossings else []
    for result in failed:
        warn(f"{result['path']}: {result['sample']}: {result['problem']}")
    show(summary, as_json, lines)
    if failed:
        raise typer.Exit(1)


def rules_health(
    events: Annotated[
        int, typer.Option(min=1, help="How many of the newest stored events are looked at.")
    ] = 200_000,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Say which rules hit, which might, and which cannot hit anything that is sent, and why.

    hits_a_day: over the time of the events looked at, of at least a day. cost_share: what a rule
    takes, asked by itself about a hundred of these events, of what all take.
    """
    from soc.app.ruling import rule_health  # defers pySigma

    found = rule_health(suite_at(home), events)
    rows = [{**one, "why": "; ".join(one["why"])} for one in found]
    counted = ("events", "hits", "hits_a_day", "errors", "last_hit", "cost_share")
    show(found, as_json, table(rows, "rule", "state", *counted, "why"))


def rules_coverage(
    paths: Paths = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print a table for people instead.")
    ] = False,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Print which ATT&CK techniques rules cover, as a layer for the ATT&CK Navigator.

    A score is the share of a technique's rules that are switched on and pass their samples, of a
    hundred. By default the rules in use at the home are taken; without a home, the packaged ones.
    """
    from soc.app.coverage import coverage  # defers pySigma
    from soc.detect.sigma.navigator import is_aadapt, is_known, layer

    covered, ruleset = coverage(paths, home)
    for problem in ruleset.failed:
        warn(problem)
    for one in covered:
        if not is_known(one.technique) and not is_aadapt(one.technique):
            warn(f"{one.technique}: no technique of this version: soc rules check says where")
    if not summary:
        show(layer(covered), as_json=True)
        return
    rows = [{"technique": one.technique, "score": one.score, "rules": one.words} for one in covered]
    show(rows, as_json, table(rows, "technique", "score", "rules"))


def rules_convert(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[RULE]...", help="Slugs; by default all.")
    ] = None,
    form: Annotated[
        Literal["lucene", "dsl"], typer.Option("--format", help="Of the queries.")
    ] = "lucene",
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Say rules as queries of OpenSearch; what cannot be said so is named on stderr."""
    from soc.app.converting import convert_rules  # defers pySigma

    result = convert_rules(home, names or [], form)
    for problem in result["problems"]:
        warn(": ".join(filter(None, [problem["rule"], problem["reason"]])))
    lines = []
    for one in result["rules"]:
        query = one["query"] if form == "lucene" else json.dumps(one["query"])
        lines += [f"# {one['rule']}: {one['title']}", query]
    show(result, as_json, lines)


def rules_enable(rule: str, home: HomeOption = HOME, reason: str = "") -> None:
    """Let a rule act again."""
    _switch(home, rule, "active", reason or "enabled", None)


def rules_disable(
    rule: str,
    reason: Annotated[str, typer.Option(help="Why; it is in the audit log and the report.")],
    home: HomeOption = HOME,
    until: Annotated[datetime | None, typer.Option(parser=moment, help="Until when.")] = None,
) -> None:
    """Switch a rule off; its controls fail for as long."""
    _switch(home, rule, "disabled", reason, until)


def rules_mode(
    rule: str,
    mode: Annotated[str, typer.Argument(help="monitor or active.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    home: HomeOption = HOME,
    until: Annotated[datetime | None, typer.Option(parser=moment, help="Until when.")] = None,
) -> None:
    """Let a rule act, or only be watched."""
    if mode not in {"monitor", "active"}:
        raise typer.BadParameter("write monitor or active")
    _switch(home, rule, mode, reason, until)


def _switch(home: Path, rule: str, mode: str, reason: str, until: datetime | None) -> None:
    from soc.access.permissions import Permission
    from soc.app.switching import switch

    suite = suite_at(home)
    actor = who(suite)
    actor.require(Permission.AUTHOR)
    switch(suite, rule, mode, reason, until, actor.name)
    typer.echo(f"{rule} is {mode}")
