"""Give each rule the one name that everything refers to."""

import re
from collections.abc import Sequence

from soc.detect.sigma.source import Source
from soc.errors import Problem

MAX_SLUG = 128
NOT_SLUG = re.compile(r"[^a-z0-9_-]+")


def name_all(sources: Sequence[Source]) -> tuple[list[tuple[Source, str]], list[Problem]]:
    """Return *sources*, each with its slug, and those whose name another has already.

    A rule is called by its ``name``, else by its file; of files with one name, the later ones get
    some of their digest appended.
    """
    taken: dict[str, Source] = {}
    named: list[tuple[Source, str]] = []
    clashes: list[Problem] = []
    for source in sorted(sources, key=lambda source: "name" not in source.plain):
        slug = _slug(source)
        if slug in taken and "name" not in source.plain:
            slug = f"{slug[: MAX_SLUG - 9]}-{source.digest[:8]}"
        if slug in taken:
            other = taken[slug]
            line = source.locate("name").line or 1
            reason = f"the rule {slug!r} is already in {other.path}:{other.locate().line}"
            clashes.append(Problem(source.path, line, reason))
        else:
            taken[slug] = source
            named.append((source, slug))
    return sorted(named, key=lambda one: (one[0].path, one[0].index)), clashes


def _slug(source: Source) -> str:
    written = source.plain.get("name")
    if isinstance(written, str) and written:
        return as_slug(written)
    suffix = "" if source.alone else f"-{source.index + 1}"
    return as_slug(source.path.stem)[: MAX_SLUG - len(suffix)] + suffix


def as_slug(text: str) -> str:
    """Return *text* in the characters of a slug."""
    slug = NOT_SLUG.sub("-", text.lower()).strip("-_")
    return slug[:MAX_SLUG].rstrip("-") or "rule"
