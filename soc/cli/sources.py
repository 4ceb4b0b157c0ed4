"""Commands about what sends events."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from soc.cli.base import HOME, HomeOption, Json, checking, group, show, suite_at, table, warn, who

if TYPE_CHECKING:
    from soc.ingest.sources.samples import Tried


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    sources = group("What sends events, and how its lines are read.")
    sources.command("list")(sources_list)
    sources.command("test")(sources_test)
    sources.command("add")(sources_add)
    app.add_typer(sources, name="sources")


def sources_list(home: HomeOption = HOME, as_json: Json = False) -> None:
    """List what sends: how it is read, how much is stored, what was rejected, when it came last."""
    from soc.app.sourcing import listed  # defers all stages

    suite = suite_at(home)
    for problem in suite.sources.problems:
        warn(problem)
    rows = listed(suite)
    flat = [{**row, "parsers": ", ".join(row["parsers"])} for row in rows]
    columns = ("source", "parsers", "events", "rejects", "refused", "silent", "last_seen")
    show(rows, as_json, table(flat, *columns))


def sources_test(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A source file.")],
    lines: Annotated[
        str | None, typer.Option(help="Try the lines of this file, or -, not the samples.")
    ] = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Show what becomes of each sample: the event, or why it is refused.

    Exit with 2 if the file has mistakes, with 1 if a sample comes out otherwise.
    """
    from soc.app.sourcing import test_source

    with checking():
        tried = test_source(file, home, _lines(lines) if lines else None)
    failed = [one for one in tried if one.problem]
    for one in failed:
        warn(f"{file}: {one.line[:80]}: {one.problem}")
    result = {
        "file": str(file),
        "lines": len(tried),
        "events": sum(one.event is not None for one in tried),
        "refused": sum(one.event is None for one in tried),
        "failed": len(failed),
        "results": [
            {"line": o.line, "event": o.event, "refused": o.refused, "problem": o.problem}
            for o in tried
        ],
    }
    show(result, as_json, [*_shown(tried), f"lines: {len(tried)}, failed: {len(failed)}"])
    if failed:
        raise typer.Exit(1)


def sources_add(
    name: Annotated[str, typer.Argument(help="What its events go under.")],
    shipper: Annotated[
        str | None, typer.Option(help="What sends, such as rsyslog or vector: shows what to paste.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="What the token is called.")] = None,
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Make a token that sends as this source alone, shown once, and what to paste."""
    from soc.app.shipping import RECIPES, add_source

    suite = suite_at(home)
    made = add_source(suite, who(suite), name, shipper, token or f"source-{name}")
    recipe = made["recipe"] or f"recipes: {', '.join(RECIPES)}: ask with --shipper"
    lines = [
        f"token     {made['token']}   (shown this once)",
        f"sends to  {made['url']}   ({_told_by(made['setting'])})",
    ]
    show(made, as_json, [*lines, "", recipe.rstrip()])


def _told_by(setting: str | None) -> str:
    if setting == "inputs.syslog":
        return f"as {setting} says"
    return f"as {setting} says: where `soc serve` got --host or --port, write those instead"


def _lines(name: str) -> list[str]:
    if name == "-":
        return sys.stdin.read().splitlines()
    return Path(name).read_text(encoding="utf-8", errors="replace").splitlines()


def _shown(tried: "tuple[Tried, ...]") -> list[str]:
    lines: list[str] = []
    for one in tried:
        lines.append(one.line)
        if one.event is None:
            lines.append(f"  refused: {one.refused}")
        lines += [f"  {name}: {value}" for name, value in _flat(one.event or {})]
    return lines


def _flat(value: Any, name: str = "") -> list[tuple[str, Any]]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict):
        return [(name, value)]
    return [
        pair
        for key, inner in value.items()
        for pair in _flat(inner, f"{name}.{key}" if name else key)
    ]
