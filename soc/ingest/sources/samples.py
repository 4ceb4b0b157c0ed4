"""Try the samples of a source file, and any other line, and say what becomes of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from soc.content.document import Document
from soc.errors import Problem, Refused
from soc.ingest import fields
from soc.ingest.fields import MAX_LINE
from soc.ingest.parse import Intake
from soc.ingest.sources.model import Sample, Source
from soc.ingest.sources.parser import parser_of
from soc.model.event import Reject, Row

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one line.

    event: what it became, if it did. refused: why not. problem: what is not as the sample says.
    """

    line: str
    event: Mapping[str, Any] | None
    refused: str = ""
    problem: str = ""


def try_samples(source: Source, intake: Intake) -> tuple[Tried, ...]:
    """Return what becomes of each sample of *source*, whose parser *intake* holds."""
    return tuple(_compared(try_line(source, one.line, intake), one) for one in source.samples)


def problems(path: Path, source: Source, intake: Intake) -> tuple[Problem, ...]:
    """Return each sample that comes out otherwise, at its line of the file."""
    document = Document(path)
    return tuple(
        Problem(path, document.line(("samples", number)), f"sample {number + 1}: {tried.problem}")
        for number, tried in enumerate(try_samples(source, intake))
        if tried.problem
    )


def try_lines(source: Source, lines: Iterable[str], intake: Intake) -> tuple[Tried, ...]:
    """Return what becomes of each of *lines*."""
    return tuple(try_line(source, line, intake) for line in lines if line.strip())


def try_line(source: Source, line: str, intake: Intake) -> Tried:
    """Return what becomes of *line*: by the source itself, then among all parsers."""
    shown = line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
    if len(line) > MAX_LINE:
        return Tried(shown, None, f"longer than {MAX_LINE} characters: split the event")
    try:
        row = parser_of(source).explain(line.strip())
    except Refused as refused:
        return Tried(shown, None, refused.reason)
    (among_all,) = intake.read([(line.encode(errors="surrogatepass"), None)])
    if isinstance(among_all, Reject):
        return Tried(shown, None, among_all.reason)
    if among_all.parser != source.name:
        other = f"the parser {among_all.parser!r} is asked before and takes it: match more narrowly"
        return Tried(shown, None, other)
    return Tried(shown, _document(row))


def _document(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(row.raw)
    return found


def _compared(tried: Tried, sample: Sample) -> Tried:
    problem = _problem(tried, sample)
    return Tried(tried.line, tried.event, tried.refused, problem)


def _problem(tried: Tried, sample: Sample) -> str:
    if sample.refused is not None:
        if tried.event is not None:
            return f"becomes an event and must be refused: {sample.refused}"
        same = sample.refused in tried.refused
        return "" if same else f"refused because it {tried.refused!r}, not {sample.refused!r}"
    if tried.event is None:
        return f"refused: {tried.refused}"
    for name, wanted in (sample.event or {}).items():
        found = fields.find(tried.event, name)
        wanted_plain = list(wanted) if isinstance(wanted, tuple) else wanted
        if name == "@timestamp" and isinstance(found, str) and isinstance(wanted_plain, str):
            same = fields.moment(found) == fields.moment(wanted_plain)
        else:
            same = found == wanted_plain and type(found) is type(wanted_plain)
        if not same:
            return f"{name} is {found!r}, not {wanted_plain!r}"
    return ""
