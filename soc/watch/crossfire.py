"""Show the samples of every rule to all other rules, to see who fires on what is not for it.

A rule that fires on a benign sample of another one is a false positive, unless the sample lists it
under ``also``. On a sample that must hit, several rules may fire: that is told, and is no mistake.
Rules that are only counted make no alerts and are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from soc.detect.rules import Rules
from soc.detect.sigma.load import load_rules
from soc.errors import ContentError, Refused
from soc.ingest.parse import Intake
from soc.settings import Detect
from soc.watch.samples import Result, Sample, count_hits, files, read, rule_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A rule that fires on a sample of another. explained: the sample lists it under ``also``."""

    fires: str
    rule: str
    sample: str
    path: Path
    benign: bool
    explained: bool


def cross(paths: Sequence[Path], intake: Intake) -> tuple[list[Crossing], list[Result]]:
    """Return who fires on whose samples in *paths*, and what of that is a mistake."""
    tests = [file for path in paths for file in files(path)]
    folders = [path for path in paths if path not in tests]
    rules = Rules(load_rules([*folders, *map(rule_file, tests)]), Detect())
    crossings: list[Crossing] = []
    mistakes: list[Result] = []
    for test in tests:
        try:
            given = read(test)
        except ContentError:
            continue  # told by the run of the samples themselves
        for sample in given.samples:
            slug = sample.rule or given.rule
            try:
                fired = _fired(rules, slug, sample, intake)
            except Refused as refused:
                mistakes.append(Result(slug, sample.name, test, refused.reason))
                continue
            found = [_crossing(one, slug, sample, test) for one in fired]
            crossings += found
            mistakes += [
                Result(slug, sample.name, test, words) for words in _mistakes(sample, found)
            ]
    return crossings, mistakes


def _fired(rules: Rules, slug: str, sample: Sample, intake: Intake) -> list[str]:
    counts = count_hits(rules, sample, intake)
    return sorted(one for one in counts if one != slug and one not in rules.ruleset.silent)


def _crossing(fires: str, slug: str, sample: Sample, path: Path) -> Crossing:
    return Crossing(
        fires=fires,
        rule=slug,
        sample=sample.name,
        path=path,
        benign=sample.is_benign,
        explained=fires in sample.also,
    )


def _mistakes(sample: Sample, found: Sequence[Crossing]) -> Iterator[str]:
    for one in found:
        if one.benign and not one.explained:
            yield f"{one.fires} fires on it: mend that rule, or list it under also"
    fired = {one.fires for one in found}
    for name in sample.also:
        if name not in fired:
            yield f"{name} does not fire on it any more: take it out of also"
