"""Load rule files. What cannot be used is told with its place, and stops nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from soc.detect.sigma.cache import Kept, RuleCache
from soc.detect.sigma.draft import Draft, Filter, Mistake
from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.files import PLACEHOLDERS, RuleFile, find_files
from soc.detect.sigma.filters import apply_filters
from soc.detect.sigma.pipelines import chosen
from soc.detect.sigma.rule import About, Correlation, Rule
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.slug import Entry, name_all
from soc.errors import Problem

Placeholders = Mapping[str, Sequence[str]]
NO_LISTS: Placeholders = MappingProxyType({})

if TYPE_CHECKING:
    from soc.detect.sigma.drafting import Correlated  # pySigma


def load_rules(
    paths: Sequence[Path],
    pipelines: Sequence[str] | None = None,
    cache: RuleCache | None = None,
    placeholders: Sequence[Path] = (),
    lists: Placeholders = NO_LISTS,
) -> Ruleset:
    """Return the rules in the files and folders of *paths*.

    pipelines: names, applied in this order to the rules that they know; by default those for
    Windows. cache: where what was compiled before is found again. placeholders: files that
    say what these stand for, besides a ``placeholders.yml`` in each folder. lists: what others
    stand for. Raises Refused for a pipeline that does not exist.
    """
    names = chosen(pipelines)
    filed, problems = _placeholders([*paths, *placeholders])
    values: Placeholders = {**lists, **filed}
    kept = cache.open(paths, names, values) if cache else Kept()
    entries, wrong = _entries(paths, names, values, kept)
    problems += wrong
    if cache:
        cache.close(kept)
    named, clashes = name_all(entries)
    problems += clashes
    rules = tuple(
        kept.rule(one.made, one.path, slug) for one, slug in named if isinstance(one.made, Draft)
    )
    slugs = _references(named, rules)
    filters = [(one, slug) for one, slug in named if isinstance(one.made, Filter)]
    rules, misplaced = apply_filters(filters, rules, slugs)
    problems += misplaced
    written: list[tuple[Correlated, str]] = []
    for one, slug in named:
        if isinstance(one.made, Mistake):
            problems.append(Problem(one.path, one.made.line, one.made.message))
        elif not isinstance(one.made, Draft | Filter):
            written.append((one.made, slug))
    counts = _correlations(written, slugs)
    problems += [made for made in counts if isinstance(made, Problem)]
    correlations = tuple(made for made in counts if isinstance(made, Correlation))
    databases = Databases(cache.folder if cache else None)
    return Ruleset(rules, correlations, tuple(sorted(problems)), names, databases)


def _placeholders(paths: Sequence[Path]) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    inside = (path / PLACEHOLDERS if path.is_dir() else path for path in paths)
    found = [path for path in inside if path.name == PLACEHOLDERS and path.is_file()]
    if not found:
        return {}, []
    from soc.detect.sigma.placeholders import read_placeholders  # pySigma

    return read_placeholders(found)


def _entries(
    paths: Sequence[Path],
    pipelines: Sequence[str],
    placeholders: Placeholders,
    kept: Kept,
) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for file in find_files(paths):
        if isinstance(file, Problem):
            problems.append(file)
            continue
        known = kept.find(file)
        if known is not None:
            entries += known
            continue
        compiled, wrong = _compiled(file, pipelines, placeholders)
        entries += compiled
        problems += wrong
        made = [one.made for one in compiled if isinstance(one.made, Draft | Filter | Mistake)]
        if not wrong and len(made) == len(compiled):
            kept.add(file, made)
    return entries, problems


def _compiled(
    file: RuleFile, pipelines: Sequence[str], placeholders: Placeholders
) -> tuple[list[Entry], list[Problem]]:
    from soc.detect.sigma.drafting import Means, compile_file  # pySigma

    found = list(compile_file(file.path, Means(pipelines, placeholders)))
    problems = [one for one in found if isinstance(one, Problem)]
    return [one for one in found if not isinstance(one, Problem)], problems


def _correlations(
    written: "Sequence[tuple[Correlated, str]]", slugs: dict[str, str]
) -> list[Correlation | Problem]:
    """Return the correlations of *written*, those that others count before these.

    slugs: as ``_references`` makes them, of the rules; correlations are added as they are read.
    """
    if not written:
        return []
    from soc.detect.sigma.drafting import compile_correlation  # pySigma

    made: list[Correlation | Problem] = []
    waiting = list(written)
    while waiting:
        read = [(one, slug, compile_correlation(one.source, slug, slugs)) for one, slug in waiting]
        done = [(one, new) for one, _, new in read if isinstance(new, Correlation)]
        if not done:
            return [*made, *(new for *_, new in read)]
        made += [new for _, new in done]
        for one, new in done:
            slugs |= dict.fromkeys(_words(one.place.name, new), new.name)
        waiting = [(one, slug) for one, slug, new in read if not isinstance(new, Correlation)]
    return made


def _references(named: Sequence[tuple[Entry, str]], rules: Sequence[Rule]) -> dict[str, str]:
    """Return the slug of each loaded rule, by each word that may refer to it."""
    loaded = {rule.name: rule for rule in rules}
    references: dict[str, str] = {}
    for entry, slug in named:
        if slug in loaded:
            for word in _words(entry.place.name, loaded[slug]):
                references[word] = slug
    return references


def _words(written: str, about: About) -> list[str]:
    """Return each word that may refer to a loaded rule."""
    return [word for word in (about.name, about.id, written) if word]
