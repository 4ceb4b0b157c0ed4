"""Commands about events: take them in, ask about them, let detectors see them."""

import gc
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from soc.cli.base import (
    HOME,
    LAST_NUMBER,
    HomeOption,
    Json,
    Limit,
    cache_folder,
    group,
    moment,
    show,
    suite_at,
    table,
    warn,
)

BATCH = 5_000
GARBAGE_AFTER = 50_000
"""New objects after which a scan looks for garbage."""
WIDE = 60
"""Characters of a value that a table shows."""


def add(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(ingest)
    app.command()(search)
    app.command()(hunt)
    app.command()(sql)
    app.command()(detect)
    app.command()(scan)
    rejects = group("What no parser took: kept, with the reason.")
    rejects.command("list")(rejects_list)
    rejects.command("show")(rejects_show)
    rejects.command("replay")(rejects_replay)
    app.add_typer(rejects, name="rejects")


def ingest(
    files: Annotated[list[str], typer.Argument(help="Files, or - for standard input.")],
    home: HomeOption = HOME,
    source: Annotated[str, typer.Option(help="Where the events come from.")] = "file",
    form: Annotated[str, typer.Option("--format", help="auto, or the name of a parser.")] = "auto",
    as_json: Json = False,
) -> None:
    """Store events durably; what no parser takes is kept as a reject."""
    from soc.app.taking import take  # defers all stages

    counted = take(suite_at(home), files, source, form, BATCH, sys.stdin.buffer)
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in counted.items()]
    show(counted, as_json, lines)


def search(
    query: Annotated[str, typer.Argument(help="Such as 'wallet.address:0xab* AND NOT gift'.")] = "",
    home: HomeOption = HOME,
    since: Annotated[datetime | None, typer.Option(parser=moment, help="Not before.")] = None,
    until: Annotated[datetime | None, typer.Option(parser=moment, help="Before.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Search stored events, newest first: terms such as field:value, joined by AND, OR, NOT."""
    from soc.logs.filter import parse
    from soc.logs.port import Search

    wanted = Search(parse(query), since, until, limit)
    rows = [dict(row) for row in suite_at(home).reader.search(wanted)]
    shown = ("ts", "source", "dataset", "action", "outcome", "wallet", "user_name", "message")
    show(rows, as_json, table(rows, *shown))


def hunt(
    rule: Annotated[str, typer.Argument(help="A slug, a UUID, or the file of a rule.")],
    home: HomeOption = HOME,
    since: Annotated[datetime | None, typer.Option(parser=moment, help="Not before.")] = None,
    until: Annotated[datetime | None, typer.Option(parser=moment, help="Before.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Ask a rule about everything that is stored; a new one is tried so before it may act."""
    from soc.app.hunting import hunt_rule  # defers pyarrow

    result = hunt_rule(suite_at(home), rule, since, until, limit)
    for problem in result["problems"]:
        warn(problem)
    rows = [
        {**row, "matched": ", ".join(f"{m['field']}={m['value'][:WIDE]!r}" for m in row["matched"])}
        for row in result["rows"]
    ]
    lines = table(rows, "rule", "seq", "ts", "source", "matched")
    show(result, as_json, [*lines, *(f"{key}: {result[key]}" for key in result["figures"])])


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT on the view events.")],
    home: HomeOption = HOME,
    as_json: Json = False,
) -> None:
    """Ask with SQL: one SELECT on the view events."""
    from soc.logs import query as queries

    suite = suite_at(home)
    rows = queries.sql(suite.reader, query, allowed=suite.settings.logs)
    show(rows, as_json, table(rows, *(rows[0] if rows else ())))


def detect(
    home: HomeOption = HOME,
    until: Annotated[datetime | None, typer.Option(parser=moment, help="Taken in by then.")] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 2 if a rule is broken.")] = False,
    as_json: Json = False,
) -> None:
    """Run all due windows now."""
    from soc.app.now import detect_now

    suite = suite_at(home)
    problems = [*suite.rules.ruleset.failed, *suite.playbooks.problems]
    for problem in problems:
        warn(problem)
    result = detect_now(suite, until)
    result["problems"] = [str(problem) for problem in problems]
    for name, reason in result["failed"].items():
        warn(f"{name}: {reason}")
    lines = [f"{key}: {result[key]}" for key in ("windows", "findings", "alerts", "incidents")]
    show(result, as_json, lines)
    if result["failed"]:
        raise typer.Exit(1)
    if strict and problems:
        raise typer.Exit(2)


def scan(
    events: Annotated[list[Path], typer.Argument(help="Files of NDJSON or EVTX, or folders.")],
    rules: Annotated[list[Path], typer.Option("--rules", help="Files or folders of Sigma rules.")],
    pipeline: Annotated[
        list[str] | None, typer.Option("--pipeline", help="Instead of the defaults.")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print figures instead of hits.")
    ] = False,
) -> None:
    """Scan files with Sigma rules: no home needed; one hit a line.

    A file that cannot be read to its end is told on stderr, and the exit code is 1.
    """
    import orjson

    from soc.detect.sigma.cache import RuleCache
    from soc.watch.scan import scan as start

    # Thousands of rules stay: looking for garbage among them again and again only costs time.
    gc.set_threshold(10 * GARBAGE_AFTER)
    found = start(rules, events, pipeline, RuleCache(cache_folder()))
    gc.freeze()
    if summary:
        found.count()
    for hit in found:
        sys.stdout.buffer.write(orjson.dumps(hit) + b"\n")
    figures: dict[str, Any] = found.summary()
    if summary:
        show(figures, as_json=True)
    for failed in figures["rules_failed"]:
        warn(f"{failed['path']}:{failed['line']}: {failed['reason']}")
    # Lines that are no events do not end a scan; a file that breaks off does, and must be known.
    for failed in figures["files_failed"]:
        warn(f"{failed['file']}:{failed['line']}: {failed['reason']}")
    if figures["files_failed"]:
        raise typer.Exit(1)


def rejects_list(
    home: HomeOption = HOME,
    after: Annotated[
        int, typer.Option(min=0, max=LAST_NUMBER, help="List what came after this number.")
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List what no parser took, with the reason."""
    rows = suite_at(home).reader.rejects(after, limit)
    listed = rows.select(["seq", "ingested", "source", "reason"]).to_pylist()
    show(listed, as_json, table(listed, "seq", "source", "reason"))


def rejects_show(seq: int, home: HomeOption = HOME) -> None:
    """Print one reject as it was sent."""
    from soc.errors import NotFound
    from soc.ingest.parse import restore

    known = 0 < seq <= LAST_NUMBER
    rows = suite_at(home).reader.rejects(seq - 1, 1).to_pylist() if known else []
    if not rows or rows[0]["seq"] != seq:
        raise NotFound("reject", str(seq))
    warn(rows[0]["reason"])
    sys.stdout.buffer.write(restore(rows[0]["raw"]) + b"\n")


def rejects_replay(home: HomeOption = HOME, as_json: Json = False) -> None:
    """Ask the parsers again; what one takes now becomes an event, once."""
    from soc.app.taking import replay

    result = replay(suite_at(home))
    show(result, as_json, [f"{name}: {value}" for name, value in result.items()])
