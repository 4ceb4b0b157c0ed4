"""What the site says about its sources, tried; and what sends, as far as it is known."""

from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from soc import plugins
from soc.app.home import Home
from soc.app.suite import Suite
from soc.content.document import Document, did_you_mean
from soc.errors import Problem
from soc.ingest.parse import Intake
from soc.ingest.sources import samples
from soc.ingest.sources.model import Source, read
from soc.ingest.sources.parser import parser_of
from soc.logs.port import Sender
from soc.model.value import rfc3339
from soc.store import sources as states
from soc.store.session import reading

PAGE = 10_000
NOTHING = MappingProxyType({"rejects": 0, "refused": 0, "silent": False})


def problems(suite: Suite) -> list[Problem]:
    """Return every mistake in the source files of *suite*, and each sample that comes out wrong."""
    found = list(suite.sources.problems)
    classes = {one.id for one in suite.policy.of_events()}
    for name, source in sorted(suite.sources.usable.items()):
        path = suite.sources.paths[name]
        found += samples.problems(path, source, suite.intake)
        if source.hint is not None and source.hint not in classes:
            hint = did_you_mean(source.hint, classes)
            line = Document(path).line(("class",))
            found.append(Problem(path, line, f"no class of retention {source.hint!r}: {hint}"))
    return sorted(found)


def test_source(path: Path, home: Path, lines: Iterable[str] | None) -> tuple[samples.Tried, ...]:
    """Return what becomes of the samples in the source file at *path*, or of *lines* instead.

    It is tried among the other parsers, those of the home's own source files too, if there is one.
    Raises ContentError with every mistake of the file.
    """
    source = read(path)
    intake = _with(source, home)
    if lines is None:
        return samples.try_samples(source, intake)
    return samples.try_lines(source, lines, intake)


def listed(suite: Suite) -> list[dict[str, Any]]:
    """Return what sends: how much is stored of it, what no parser took, and when it was last seen.

    parsers: what reads it. refused: events beyond its limits. silent: whether nothing came for as
    long as settings say. Sources that a file describes or settings expect are there with 0.
    """
    found = {one.source: {**_silent(one.source), **_stored(one)} for one in suite.reader.senders()}
    for name, (count, last) in _rejects(suite).items():
        row = found.setdefault(name, _silent(name))
        row["rejects"] = count
        row["last_seen"] = max(filter(None, (row["last_seen"], last)))
    inputs, now = suite.settings.inputs, suite.clock.now()
    for expected in inputs.sources:
        found.setdefault(expected.name, _silent(expected.name))
    with reading(suite.database) as looking:
        for state in states.read(looking, PAGE):
            row = found.setdefault(state.name, _silent(state.name))
            row["refused"] = state.refused
            row["last_seen"] = max(filter(None, (row["last_seen"], state.last_seen)))
    for name in suite.sources.usable:
        mapped = any(name in row["parsers"] for row in found.values())
        if not mapped:
            found.setdefault(name, _silent(name))["parsers"] = [name]
    for expected in inputs.sources:
        row, span = found[expected.name], expected.silent_after or inputs.silent_after
        late = row["last_seen"] is None or (span and now - row["last_seen"] > span)
        row["silent"] = bool(span and late)
    return [
        {**row, "last_seen": rfc3339(row["last_seen"]) if row["last_seen"] else None}
        for _, row in sorted(found.items())
    ]


def _stored(one: Sender) -> dict[str, Any]:
    return {"events": one.events, "last_seen": one.last_seen, "parsers": list(one.parsers)}


def _silent(name: str) -> dict[str, Any]:
    return {"source": name, "events": 0, "last_seen": None, "parsers": [], **NOTHING}


def _rejects(suite: Suite) -> dict[str, tuple[int, Any]]:
    """Return how many rejects each source has, and when the newest came."""
    found: dict[str, tuple[int, Any]] = {}
    after, size = 0, PAGE
    while size == PAGE:
        page = suite.reader.rejects(after, PAGE).select(["seq", "source", "ingested"]).to_pylist()
        for row in page:
            count, last = found.get(row["source"], (0, row["ingested"]))
            found[row["source"]] = (count + 1, max(last, row["ingested"]))
        size, after = len(page), page[-1]["seq"] if page else after
    return found


def _with(source: Source, home: Path) -> Intake:
    is_home = (Home(home.resolve()).path / "format").is_file()
    others = Suite(home).sources.usable if is_home else {}
    own = {name: parser_of(one) for name, one in others.items()} | {source.name: parser_of(source)}
    installed = plugins.load("soc.parsers").items()
    return Intake({**own, **{name: kind() for name, kind in installed if name not in own}})
