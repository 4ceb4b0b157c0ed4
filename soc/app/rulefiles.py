"""What rules are made of: their files, what placeholders stand for, and imported lists."""

import re
from collections.abc import Collection, Hashable, Iterable, Iterator
from pathlib import Path

from soc.app import content
from soc.app.suite import Suite
from soc.detect.sigma.files import find_files
from soc.detect.sigma.source import Source, read_file
from soc.store import indicators
from soc.store.session import reading

LOOK_EVERY = 3.0
"""Seconds between two looks at the times of all rule files."""
TECHNIQUE = re.compile(r"attack\.t\d{4}(\.\d{3})?|aadapt\.adt\d{4}(\.\d{3})?")


def standing(suite: Suite) -> Hashable:
    """Return what changes whenever a rule file or an imported list does."""
    files = content.every_rule_file(suite.settings, suite.home)
    placeholders = suite.home.content("placeholders.yml")
    lists = [placeholders] if placeholders.is_file() else []
    with reading(suite.database) as looking:
        held = indicators.standing(looking, suite.clock.now())
    return tuple(find_files([*files, *lists])), tuple(held)


def called(path: Path, slug: str) -> Source | None:
    """Return the rule called *slug* in the file at *path*, if it is there."""
    return next(_sources(path, {slug}), None)


def techniques(suite: Suite, rules: Collection[str]) -> dict[str, list[str]]:
    """Return the ATT&CK and AADAPT tags of each of *rules*, as their files have them now."""
    found: dict[str, list[str]] = {slug: [] for slug in rules}
    for path in content.every_rule_file(suite.settings, suite.home) if rules else ():
        for source in _sources(path, rules):
            found[_name(source, path)] += techniques_of([source])
    return found


def techniques_of(sources: Iterable[Source]) -> list[str]:
    """Return the ATT&CK and AADAPT tags of rules, sorted."""
    tags = {
        str(tag)
        for source in sources
        if isinstance(named := source.plain.get("tags"), list)
        for tag in named
    }
    return sorted(tag.partition(".")[2].upper() for tag in tags if TECHNIQUE.fullmatch(tag.lower()))


def _sources(path: Path, slugs: Collection[str]) -> Iterator[Source]:
    """Yield the rules of the file at *path* that are called one of *slugs*; parse no other file."""
    written_there = path.read_bytes()
    if path.stem in slugs or any(slug.encode() in written_there for slug in slugs):
        for one in read_file(path):
            if isinstance(one, Source) and _name(one, path) in slugs:
                yield one


def _name(source: Source, path: Path) -> str:
    return str(source.plain.get("name") or path.stem)
