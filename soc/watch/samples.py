"""Run the samples beside rules: events that must be found, and ones that must not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
import pyarrow as pa
from pydantic import Field, model_validator

from soc.content.kinds import Duration, load
from soc.detect.rules import Remembered, Rules
from soc.detect.sigma.load import load_rules
from soc.errors import ContentError, Problem, Refused
from soc.ingest.parse import Intake
from soc.model.event import SCHEMA, Batch, Reject, Row, to_table
from soc.model.value import Slug, Value, rfc3339
from soc.settings import Detect

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SUFFIX = ".test.yml"


class Event(Value):
    """An event, or *repeat* of them, *every* so long after one another.

    after: how long after the sample's begin the first one happens. vary: dotted names of text
    fields of an object; each of the events gets its number, from 1,
    written behind what stands there.
    """

    event: Mapping[str, Any] | str
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    every: Duration = timedelta(seconds=1)
    after: Duration = timedelta()
    vary: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _can_vary(self) -> Self:
        wrong = [name for name in self.vary if not isinstance(_found(self.event, name), str)]
        if wrong:
            raise ValueError(f"vary names {wrong[0]!r}, which is no text field of the event")
        return self


class Sample(Value):
    """Events, and whether the rule must hit.

    hits: true or false, or how often it must be true: of a rule, the events it hits; of a
    correlation, the events that complete what it counts. breaks: the one part of the rule that
    spares a benign sample. rule: which rule of the file, if not the one the file is about. also:
    other rules that must hit it too, as ``soc rules test --cross`` finds out.
    """

    name: str
    hits: bool | Annotated[int, Field(ge=0)]
    breaks: str | None = None
    rule: Slug | None = None
    also: tuple[Slug, ...] = ()
    events: Annotated[tuple[Event, ...], Field(min_length=1)]

    @property
    def is_benign(self) -> bool:
        """Return whether the rule must not hit."""
        return not self.hits


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
    is_benign: bool = False


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of samples under *folder*."""
    yield from [folder] if folder.is_file() else sorted(folder.rglob(f"*{SUFFIX}"))


def rule_file(path: Path) -> Path:
    """Return the file with the rules that the samples in *path* are for."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ".yml")


def samples_of(path: Path) -> Path:
    """Return where the samples of the rules in the file *path* are, if there are any."""
    return path.with_name(path.stem + SUFFIX)


def read(path: Path) -> Samples:
    """Return the samples in *path*; raises ContentError with all mistakes of the file."""
    return load(path, Samples)


def run(path: Path, intake: Intake) -> Iterator[Result]:
    """Yield what becomes of each sample in *path*, tried on the rule file beside it."""
    try:
        given = read(path)
    except ContentError as wrong:
        yield from (Result("", "", p.path, str(p)) for p in wrong.problems)
        return
    beside = rule_file(path)
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
        words = _try(rules, slug, sample, intake)
        yield Result(slug, sample.name, path, words, sample.is_benign)


def _try(rules: Rules, slug: str, sample: Sample, intake: Intake) -> str:
    """Return what is wrong with a sample of the rule *slug*; empty if nothing is."""
    if slug not in rules.rules:
        return f"there is no rule {slug!r} in its file"
    try:
        return _judge(sample, count_hits(rules, sample, intake)[slug])
    except Refused as refused:
        return refused.reason


def _judge(sample: Sample, counted: int) -> str:
    """Return what is wrong with a rule that was true *counted* times; empty if nothing is."""
    if isinstance(sample.hits, bool):
        if bool(counted) == sample.hits:
            return ""
        return "hits and must not" if counted else "does not hit and must"
    return "" if counted == sample.hits else f"is true {counted} times and must be {sample.hits}"


def count_hits(rules: Rules, sample: Sample, intake: Intake) -> Counter[str]:
    """Return how often each of *rules* is true of *sample*, those that are only counted too.

    Raises Refused for an event that no parser takes, or that a rule cannot be evaluated on.
    """
    lines = [line for event in sample.events for line in _lines(event)]
    rows = intake.read(
        (orjson.dumps(line) if isinstance(line, dict) else line, None) for line in lines
    )
    if rejected := [row.reason for row in rows if isinstance(row, Reject)]:
        raise Refused(f"no parser takes an event of it: {rejected[0]}")
    counts = Counter(
        hit.rule.name
        for row in rows
        if isinstance(row, Row)
        for hit in rules.ruleset.match(orjson.loads(row.raw)).hits
        if hit.rule.name in rules.ruleset.silent
    )
    now = max(row.ts for row in rows if isinstance(row, Row)) + timedelta(days=1)
    table = to_table(rows, "sample", now, ["default"] * len(rows))
    numbered = table.set_column(
        0, SCHEMA.field("seq"), pa.array(range(1, len(rows) + 1), pa.int64())
    )
    observed = rules.observe(Batch(numbered, len(rows)), Remembered(), now)
    if observed.failures:
        failure = observed.failures[0]
        raise Refused(f"{failure.rule} cannot be evaluated: {failure.reason}")
    for finding in observed.findings:
        counts[finding.rule] += finding.count
    return counts


def _lines(event: Event) -> Iterator[dict[str, Any] | bytes]:
    for number in range(event.repeat):
        moment = BEGIN + event.after + number * event.every
        if isinstance(event.event, str):
            yield event.event.encode()
        else:
            document = dict(event.event)
            for name in event.vary:
                document = _numbered(document, name.split("."), str(number + 1))
            yield {"@timestamp": rfc3339(moment), **document}


def _numbered(document: Mapping[str, Any], path: Sequence[str], number: str) -> dict[str, Any]:
    """Return *document* with *number* behind the text at *path*."""
    name, *rest = path
    inner = document[name]
    return {**document, name: _numbered(inner, rest, number) if rest else inner + number}


def _found(event: object, name: str) -> object:
    """Return what is at the dotted *name* of nested objects, or None."""
    for part in name.split("."):
        event = event.get(part) if isinstance(event, Mapping) else None
    return event
