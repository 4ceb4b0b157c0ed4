"""Check rules beyond what loading asks: all findings, each with its place.

An error is what makes a rule useless or its alerts ambiguous: it cannot be loaded, it can never
be true, or another rule has its id. A warning is what its author should look at, and a user of
somebody else's rules can live with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from soc.content.digest import digest_of
from soc.detect.sigma.attack import mistake_in
from soc.detect.sigma.correlation import is_correlation
from soc.detect.sigma.files import RuleFile, find_files
from soc.detect.sigma.lint.patterns import costly_patterns
from soc.detect.sigma.lint.reach import can_hold, unused
from soc.detect.sigma.rule import About, Rule
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.source import Source, read_file
from soc.errors import Problem

SAMPLES = ".test.yml"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something to mend. is_error: the rule is of no use as it is."""

    problem: Problem
    is_error: bool = False

    def __str__(self) -> str:
        place = f"{self.problem.path}:{self.problem.line}: "
        return f"{place}{'' if self.is_error else 'warning: '}{self.problem.message}"


Loaded = list[tuple[Source, About]]


def check(paths: Sequence[Path], ruleset: Ruleset) -> list[Finding]:
    """Return all that is wrong with the rules in *paths*, which *ruleset* was loaded from."""
    every: list[About] = [*ruleset.rules, *ruleset.correlations]
    abouts = {(about.path, about.line): about for about in every}
    loaded = [
        (source, abouts[place])
        for source in _sources(paths)
        if (place := (source.path, source.locate().line)) in abouts
    ]
    findings = [Finding(problem, is_error=True) for problem in ruleset.failed]
    findings += _same_ids(loaded)
    findings += _same_questions(loaded)
    for source, about in loaded:
        findings += _tags(source)
        if isinstance(about, Rule):
            findings += _condition(source, about)
            findings += _patterns(source)
    findings += _untested(paths, loaded)
    return sorted(findings)


def _sources(paths: Sequence[Path]) -> Iterator[Source]:
    for found in find_files(paths):
        if isinstance(found, RuleFile):
            yield from (read for read in read_file(found.path) if isinstance(read, Source))


def _same_ids(loaded: Loaded) -> Iterator[Finding]:
    first: dict[str, Source] = {}
    for source, about in loaded:
        if about.id and first.setdefault(about.id, source) is not source:
            other = first[about.id]
            reason = f"the id is also that of {_place(other)}: give each rule its own"
            yield _finding(source, ("id",), reason, is_error=True)


def _same_questions(loaded: Loaded) -> Iterator[Finding]:
    """Yield the rules that ask what another one asks already, of the same log source."""
    first: dict[str, Source] = {}
    for source, _ in loaded:
        key = "correlation" if is_correlation(source) else "detection"
        asked = digest_of([_plain(source.plain.get("logsource")), _plain(source.plain[key])])
        if first.setdefault(asked, source) is not source:
            reason = f"asks the same as {_place(first[asked])}: one of them is enough"
            yield _finding(source, (key,), reason)


def _tags(source: Source) -> Iterator[Finding]:
    for index, tag in enumerate(source.plain.get("tags") or ()):
        if reason := mistake_in(str(tag)):
            yield _finding(source, ("tags", index), reason)


def _condition(source: Source, rule: Rule) -> Iterator[Finding]:
    for name in unused(source):
        reason = f"the condition does not use the selection {name!r}: use it or take it out"
        yield _finding(source, ("detection", name), reason)
    possible, place = can_hold(rule.condition), ("detection", "condition")
    if possible is False:
        reason = "the condition can never be true: something must hold and must not hold"
        yield _finding(source, place, reason, is_error=True)
    elif possible is None:
        reason = "nobody can tell whether the condition is ever true: simplify it"
        yield _finding(source, place, reason)


def _patterns(source: Source) -> Iterator[Finding]:
    for costly in costly_patterns(source.plain["detection"]):
        yield _finding(source, costly.place, costly.reason)


def _untested(paths: Sequence[Path], loaded: Loaded) -> Iterator[Finding]:
    """Yield our own kind of rules that have no samples; of others, one line for each path.

    A rule that says who owns it, under ``soc``, is its reader's own.
    """
    others: dict[Path, int] = {}
    for source, _ in loaded:
        name = f"{source.path.stem}{SAMPLES}"
        if source.path.with_name(name).is_file():
            continue
        if "soc" in source.plain:
            yield _finding(source, (), f"has no samples: write {name} beside it")
        else:
            given = next(path for path in paths if source.path.is_relative_to(path))
            others[given] = others.get(given, 0) + 1
    for path, count in others.items():
        what = "1 rule has" if count == 1 else f"{count} rules have"
        yield Finding(Problem(path, 1, f"{what} no samples (*{SAMPLES}) beside it"))


def _finding(
    source: Source, place: tuple[object, ...], reason: str, *, is_error: bool = False
) -> Finding:
    line = source.locate(*place).line or 1
    return Finding(Problem(source.path, line, reason), is_error=is_error)


def _place(source: Source) -> str:
    return f"{source.path}:{source.locate().line}"


def _plain(value: object) -> object:
    """Return a value of YAML as JSON has it: dates and keys that are no text become text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | bool | float | None) else str(value)
