"""Load rule files. What cannot be used is told with its place, and stops nothing else."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sigma.exceptions import SigmaDetectionError, SigmaLogsourceError
from sigma.rule import SigmaLogSource

from soc.detect.sigma.about import problem_of, read_about
from soc.detect.sigma.combine import all_of, match_field
from soc.detect.sigma.compile import compile_detection
from soc.detect.sigma.condition import Node
from soc.detect.sigma.correlation import is_correlation, read_correlation
from soc.detect.sigma.pipelines import chosen, names_of, needs_of
from soc.detect.sigma.predicate import Equals, Number
from soc.detect.sigma.rule import About, Correlation, LogSource, Rule
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.selection import Reader
from soc.detect.sigma.slug import name_all
from soc.detect.sigma.source import Source, find_files, read_file
from soc.errors import Problem
from soc.model.text import fold

WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a rule that is not what it should be makes of code that reads it; pySigma's among them."""

Read = TypeVar("Read")


def load_rules(paths: Sequence[Path], pipelines: Sequence[str] | None = None) -> Ruleset:
    """Return the rules in the files and folders of *paths*.

    pipelines: names, applied in this order to the rules that they know; by default those for
    Windows. Raises Refused for a name that is none.
    """
    names = chosen(pipelines)
    sources, problems = _read(paths)
    named, clashes = name_all(sources)
    problems += clashes
    rules = [_rule(one, slug, names) for one, slug in named if not is_correlation(one)]
    slugs = _references(named, [rule for rule in rules if isinstance(rule, Rule)])
    counts = _correlations([(one, slug) for one, slug in named if is_correlation(one)], slugs)
    problems += [made for made in [*rules, *counts] if isinstance(made, Problem)]
    return Ruleset(
        tuple(rule for rule in rules if isinstance(rule, Rule)),
        tuple(count for count in counts if isinstance(count, Correlation)),
        tuple(sorted(problems)),
        names,
    )


def _read(paths: Sequence[Path]) -> tuple[list[Source], list[Problem]]:
    sources: list[Source] = []
    problems: list[Problem] = []
    for found in find_files(paths):
        for read in [found] if isinstance(found, Problem) else read_file(found):
            if isinstance(read, Problem):
                problems.append(read)
            else:
                sources.append(read)
    return sources, problems


def _rule(source: Source, slug: str, pipelines: Sequence[str]) -> Rule | Problem:
    for key in ("filter", "action"):
        if key in source.plain:
            line = source.locate(key).line or 1
            return Problem(source.path, line, f"{key!r} is not understood: write each rule whole")
    errors: list[Exception] = []
    about = _try(lambda: _about(source, slug), errors)
    logsource = _try(lambda: _logsource(source), errors)
    reader = Reader(source.locate, lambda field: names_of(field, pipelines))
    detection = _try(lambda: _detection(source, reader), errors)
    if about is None or logsource is None or detection is None:
        return problem_of(errors, source)
    needs = [
        match_field("", field, [_is(value) for value in values])
        for field, values in needs_of(logsource, pipelines)
    ]
    selections = tuple(name for name in source.plain["detection"] if name != "condition")
    condition = all_of([*needs, detection])
    return Rule(**about, logsource=logsource, condition=condition, selections=selections)


def _correlations(
    named: Sequence[tuple[Source, str]], slugs: dict[str, str]
) -> list[Correlation | Problem]:
    """Return the correlations of *named*, those that others count before these.

    slugs: as ``_references`` makes them, of the rules; correlations are added as they are read.
    """
    made: list[Correlation | Problem] = []
    waiting = list(named)
    while waiting:
        read = [(one, slug, _correlation(one, slug, slugs)) for one, slug in waiting]
        done = [(one, new) for one, _, new in read if isinstance(new, Correlation)]
        if not done:
            return [*made, *(new for *_, new in read)]
        made += [new for _, new in done]
        for source, new in done:
            slugs |= _words(source, new)
        waiting = [(one, slug) for one, slug, new in read if not isinstance(new, Correlation)]
    return made


def _correlation(source: Source, slug: str, slugs: Mapping[str, str]) -> Correlation | Problem:
    errors: list[Exception] = []
    about = _try(lambda: _about(source, slug), errors)
    read = _try(lambda: read_correlation(source, about or {}, slugs), errors) if about else None
    return read or problem_of(errors, source)


def _try(read: Callable[[], Read], errors: list[Exception]) -> Read | None:
    """Return what *read* reads, or None and its mistakes among *errors*."""
    try:
        return read()
    except ExceptionGroup as several:
        errors += several.exceptions
    except WRONG as wrong:
        errors.append(wrong)
    return None


def _about(source: Source, slug: str) -> dict[str, Any]:
    about, errors = read_about(source, slug)
    if errors:
        raise ExceptionGroup("mistakes in what the rule says about itself", errors)
    return about


def _logsource(source: Source) -> LogSource:
    written, at = source.plain.get("logsource"), source.locate("logsource")
    if not isinstance(written, Mapping):
        raise SigmaLogsourceError("a rule needs a logsource, a map of keys", source=at)
    read = SigmaLogSource.from_dict(dict(written), at)
    return LogSource(read.category, read.product, read.service)


def _detection(source: Source, reader: Reader) -> Node:
    written = source.plain.get("detection")
    if not isinstance(written, Mapping):
        reason = "a rule needs a detection, a map of selections"
        raise SigmaDetectionError(reason, source=source.locate("detection"))
    return compile_detection(written, reader)


def _is(value: str | int) -> Equals | Number:
    return Equals(frozenset({fold(value)})) if isinstance(value, str) else Number(value)


def _references(named: Sequence[tuple[Source, str]], rules: Sequence[Rule]) -> dict[str, str]:
    """Return the slug of each loaded rule, by each word that may refer to it."""
    loaded = {rule.name: rule for rule in rules}
    references: dict[str, str] = {}
    for source, slug in named:
        if slug in loaded:
            references |= _words(source, loaded[slug])
    return references


def _words(source: Source, about: About) -> dict[str, str]:
    """Return the slug of a loaded rule by each word that may refer to it."""
    words = (about.name, about.id, str(source.plain.get("name", "")))
    return {word: about.name for word in words if word}
