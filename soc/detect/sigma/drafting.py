"""Compile the rules of one file. pySigma reads them; it takes about a millisecond for each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sigma.exceptions import (
    SigmaDetectionError,
    SigmaFilterRuleReferenceError,
    SigmaLogsourceError,
)
from sigma.rule import SigmaLogSource

from soc.detect.sigma.about import problem_of, read_about
from soc.detect.sigma.combine import all_of, any_of, match_field
from soc.detect.sigma.compile import compile_detection
from soc.detect.sigma.condition import Node
from soc.detect.sigma.correlation import is_correlation, read_correlation
from soc.detect.sigma.draft import Draft, Filter, Mistake, Place
from soc.detect.sigma.pipelines import names_of, needs_of
from soc.detect.sigma.placeholders import Placeholders
from soc.detect.sigma.predicate import Equals, Number
from soc.detect.sigma.rule import Correlation, LogSource
from soc.detect.sigma.selection import Reader
from soc.detect.sigma.slug import Entry, entry
from soc.detect.sigma.source import Source, read_file
from soc.errors import Problem
from soc.model.text import fold

WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a rule that is not what it should be makes of code that reads it; pySigma's among them."""

NO_SELECTIONS = frozenset({"rules", "condition"})
Read = TypeVar("Read")


class Correlated(NamedTuple):
    """A correlation as it is written: what it counts is known when all rules are read."""

    place: Place
    source: Source


class Means(NamedTuple):
    """What rules are compiled with: names of pipelines, and what placeholders stand for."""

    pipelines: Sequence[str]
    placeholders: Placeholders


def compile_file(path: Path, means: Means) -> Iterator[Entry | Problem]:
    """Yield what stands in the file at *path*, or what is wrong with the file itself."""
    for read in read_file(path):
        if isinstance(read, Problem):
            yield read
        else:
            place = _place(read)
            if is_correlation(read):
                yield entry(path, Correlated(place, read))
            elif "filter" in read.plain:
                yield entry(path, _filter(read, place, means))
            else:
                yield entry(path, _draft(read, place, means))


def compile_correlation(
    source: Source, slug: str, slugs: Mapping[str, str]
) -> Correlation | Problem:
    """Return the correlation *source*, called *slug*. slugs: as read_correlation wants them."""
    errors: list[Exception] = []
    about = _try(lambda: _about(source), errors)
    if about is not None:
        named = {**about, "name": slug, "path": source.path}
        read = _try(lambda: read_correlation(source, named, slugs), errors)
        if read is not None:
            return read
    return problem_of(errors, source)


def _place(source: Source) -> Place:
    written = source.plain.get("name")
    return Place(
        index=source.index,
        alone=source.alone,
        name=written if isinstance(written, str) else "",
        line=source.locate().line or 1,
        name_line=source.locate("name").line or 1,
        digest=source.digest,
    )


def _draft(source: Source, place: Place, means: Means) -> Draft | Mistake:
    if "action" in source.plain:
        line = source.locate("action").line or 1
        return Mistake(place, line, "'action' is not understood: write each rule whole")
    errors: list[Exception] = []
    about = _try(lambda: _about(source), errors)
    logsource = _try(lambda: _logsource(source), errors)
    reader = _reader(source, means, logsource)
    detection = _try(lambda: _detection(source, reader), errors)
    if about is None or logsource is None or detection is None:
        wrong = problem_of(errors, source)
        return Mistake(place, wrong.line, wrong.message)
    needs = [
        any_of(
            match_field("", name, [_is(value) for value in values])
            for name in names_of(field, logsource, means.pipelines)
        )
        for field, values in needs_of(logsource, means.pipelines)
    ]
    selections = tuple(name for name in source.plain["detection"] if name != "condition")
    own = {name: about[name] for name in Draft.__struct_fields__ if name in about}
    condition = all_of([*needs, detection])
    return Draft(
        **own, place=place, logsource=logsource, condition=condition, selections=selections
    )


def _reader(source: Source, means: Means, logsource: LogSource | None) -> Reader:
    def names(field: str) -> tuple[str, ...]:
        return names_of(field, logsource or LogSource(), means.pipelines)

    return Reader(source.locate, names, means.placeholders)


def _filter(source: Source, place: Place, means: Means) -> Filter | Mistake:
    errors: list[Exception] = []
    about = _try(lambda: _about(source), errors)
    logsource = _try(lambda: _logsource(source), errors)
    rules = _try(lambda: _filtered(source), errors)
    reader = _reader(source, means, logsource)
    condition = _try(lambda: _left_over(source, reader), errors)
    if about is None or logsource is None or rules is None or condition is None:
        wrong = problem_of(errors, source)
        return Mistake(place, wrong.line, wrong.message)
    return Filter(
        place=place,
        title=about["title"],
        rules=rules,
        logsource=logsource,
        condition=condition,
        selections=tuple(name for name in source.plain["filter"] if name not in NO_SELECTIONS),
    )


def _filtered(source: Source) -> tuple[str, ...]:
    """Return the names and ids of the rules that a filter is put on; none of them: all."""
    written, at = source.plain["filter"], source.locate("filter", "rules")
    given = written.get("rules") if isinstance(written, Mapping) else None
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        reason = "a filter names its rules: any, or a list of names and ids"
        raise SigmaFilterRuleReferenceError(reason, source=at)
    return () if [name.lower() for name in names] == ["any"] else tuple(names)


def _left_over(source: Source, reader: Reader) -> Node:
    """Return what must hold besides for a rule under a filter to hit."""
    written = source.plain["filter"]
    if not isinstance(written, Mapping):
        reason = "a filter is a map: rules, selections and a condition such as: not selection"
        raise SigmaDetectionError(reason, source=source.locate("filter"))
    own = {name: inner for name, inner in written.items() if name != "rules"}
    return compile_detection(own, reader, "filter")


def _try(read: Callable[[], Read], errors: list[Exception]) -> Read | None:
    """Return what *read* reads, or None and its mistakes among *errors*."""
    try:
        return read()
    except ExceptionGroup as several:
        errors += several.exceptions
    except WRONG as wrong:
        errors.append(wrong)
    return None


def _about(source: Source) -> dict[str, Any]:
    about, errors = read_about(source)
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
