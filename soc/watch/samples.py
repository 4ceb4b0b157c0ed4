"""Run the samples beside rules: events that must be found, and ones that must not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import pyarrow as pa
from pydantic import Field

from soc.content.kinds import Duration, load
from soc.detect.rules import Remembered, Rules
from soc.detect.sigma.load import load_rules
from soc.errors import ContentError, Problem
from soc.ingest.parse import Intake
from soc.model.event import SCHEMA, Batch, Reject, Row, to_table
from soc.model.value import Slug, Value, rfc3339
from soc.settings import Detect

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SUFFIX = ".test.yml"


class Event(Value):
    """An event, or *repeat* of them, *every* so long after one another."""

    event: Mapping[str, Any] | str
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    every: Duration = timedelta(seconds=1)


class Sample(Value):
    """Events and whether the rule must hit. breaks: the one part of the rule that spares them."""

    name: str
    hits: bool
    breaks: str | None = None
    rule: Slug | None = None
    events: Annotated[tuple[Event, ...], Field(min_length=1)]


class Samples(Value):
    """The file beside a rule."""

    layout: Annotated[Literal["commonwatch.rule-test/1"], Field(alias="schema")]
    rule: Slug
    samples: Annotated[tuple[Sample, ...], Field(min_length=2)]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one sample. problem: empty if it came out as it says."""

    rule: str
    sample: str
    path: Path
    problem: str


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of samples under *folder*."""
    yield from [folder] if folder.is_file() else sorted(folder.rglob(f"*{SUFFIX}"))


def run(path: Path, intake: Intake) -> Iterator[Result]:
    """Yield what becomes of each sample in *path*, tried on the rule file beside it."""
    try:
        given = load(path, Samples)
    except ContentError as wrong:
        yield from (Result("", "", p.path, str(p)) for p in wrong.problems)
        return
    beside = path.with_name(path.name.removesuffix(SUFFIX) + ".yml")
    ruleset = load_rules([beside])
    for problem in ruleset.failed:
        yield Result(given.rule, "", path, str(problem))
    rules = Rules(ruleset, Detect())
    if given.rule not in rules.rules:
        problem = Problem(path, 1, f"{beside.name} holds no rule {given.rule!r}")
        yield Result(given.rule, "", path, str(problem))
        return
    for sample in given.samples:
        slug = sample.rule or given.rule
        hit = is_hit(rules, slug, sample, intake)
        word = "hits and must not" if hit else "does not hit and must"
        yield Result(slug, sample.name, path, "" if hit == sample.hits else word)


def is_hit(rules: Rules, slug: str, sample: Sample, intake: Intake) -> bool:
    """Return whether the rule *slug*, or one that is only counted, hits *sample*."""
    lines = [line for event in sample.events for line in _lines(event)]
    rows = intake.read(
        (orjson.dumps(line) if isinstance(line, dict) else line, None) for line in lines
    )
    if rejected := [row.reason for row in rows if isinstance(row, Reject)]:
        raise ContentError([Problem(Path(sample.name), 1, rejected[0])])
    if slug in rules.ruleset.silent:
        matched = (
            rules.ruleset.match(orjson.loads(row.raw)) for row in rows if isinstance(row, Row)
        )
        return any(hit.rule.name == slug for outcome in matched for hit in outcome.hits)
    now = BEGIN + timedelta(days=1)
    table = to_table(rows, "sample", now, ["default"] * len(rows))
    numbered = table.set_column(
        0, SCHEMA.field("seq"), pa.array(range(1, len(rows) + 1), pa.int64())
    )
    observed = rules.observe(Batch(numbered, len(rows)), Remembered(), now)
    return any(finding.rule == slug for finding in observed.findings)


def _lines(event: Event) -> Iterator[dict[str, Any] | bytes]:
    for number in range(event.repeat):
        moment = BEGIN + number * event.every
        if isinstance(event.event, str):
            yield event.event.encode()
        else:
            yield {"@timestamp": rfc3339(moment), **event.event}
