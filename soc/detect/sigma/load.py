"""Load rule files. What cannot be used is told with its place, and stops nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soc.detect.sigma.cache import Kept, RuleCache
from soc.detect.sigma.draft import Draft, Mistake
from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.files import RuleFile, find_files
from soc.detect.sigma.pipelines import chosen
from soc.detect.sigma.rule import Correlation, Rule
from soc.detect.sigma.ruleset import Ruleset
from soc.detect.sigma.slug import Entry, name_all
from soc.errors import Problem

if TYPE_CHECKING:
    from soc.detect.sigma.drafting import Correlated  # pySigma


def load_rules(
    paths: Sequence[Path], pipelines: Sequence[str] | None = None, cache: RuleCache | None = None
) -> Ruleset:
    """Return the rules in the files and folders of *paths*.

    pipelines: names, applied in this order to the rules that they know; by default those for
    Windows. cache: where what was compiled before is found again. Raises Refused for a pipeline
    that does not exist.
    """
    names = chosen(pipelines)
    kept = cache.open(paths, names) if cache else Kept()
    entries, problems = _entries(paths, names, kept)
    if cache:
        cache.close(kept)
    named, clashes = name_all(entries)
    problems += clashes
    rules = tuple(
        one.made.rule(one.path, slug) for one, slug in named if isinstance(one.made, Draft)
    )
    slugs = _references(named, rules)
    counts: list[Correlation] = []
    for one, slug in named:
        if isinstance(one.made, Mistake):
            problems.append(Problem(one.path, one.made.line, one.made.message))
        elif not isinstance(one.made, Draft):
            made = _correlation(one.made, slug, slugs)
            if isinstance(made, Problem):
                problems.append(made)
            else:
                counts.append(made)
    databases = Databases(cache.folder if cache else None)
    return Ruleset(rules, tuple(counts), tuple(sorted(problems)), names, databases)


def _entries(
    paths: Sequence[Path], pipelines: Sequence[str], kept: Kept
) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for file in find_files(paths):
        if isinstance(file, Problem):
            problems.append(file)
            continue
        drafts = kept.find(file)
        if drafts is not None:
            entries += [Entry(file.path, draft) for draft in drafts]
            continue
        compiled, wrong = _compiled(file, pipelines)
        entries += compiled
        problems += wrong
        made = [one.made for one in compiled if isinstance(one.made, Draft | Mistake)]
        if not wrong and len(made) == len(compiled):
            kept.add(file, made)
    return entries, problems


def _compiled(file: RuleFile, pipelines: Sequence[str]) -> tuple[list[Entry], list[Problem]]:
    from soc.detect.sigma.drafting import compile_file  # pySigma

    found = list(compile_file(file.path, pipelines))
    problems = [one for one in found if isinstance(one, Problem)]
    return [one for one in found if not isinstance(one, Problem)], problems


def _correlation(one: "Correlated", slug: str, slugs: dict[str, str]) -> Correlation | Problem:
    from soc.detect.sigma.drafting import compile_correlation  # pySigma

    return compile_correlation(one.source, slug, slugs)


def _references(named: Sequence[tuple[Entry, str]], rules: Sequence[Rule]) -> dict[str, str]:
    """Return the slug of each loaded rule, by each word that may refer to it."""
    loaded = {rule.name: rule for rule in rules}
    references: dict[str, str] = {}
    for entry, slug in named:
        if slug in loaded:
            words = (slug, loaded[slug].id, entry.place.name)
            references |= {word: slug for word in words if word}
    return references
