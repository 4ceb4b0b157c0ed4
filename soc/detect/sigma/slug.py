"""Give each rule the one name that everything refers to."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Union

from soc.detect.sigma.draft import Draft, Filter, Mistake, Place
from soc.errors import Problem

if TYPE_CHECKING:
    from soc.detect.sigma.drafting import Correlated  # pySigma

MAX_SLUG = 128
NOT_SLUG = re.compile(r"[^a-z0-9_-]+")


class Entry(NamedTuple):
    """What stands at a place of a file; a correlation is there as it is written."""

    path: Path
    made: Union[Draft, Filter, Mistake, "Correlated"]

    @property
    def place(self) -> Place:
        """Return where in the file."""
        return self.made.place


def name_all(entries: Sequence[Entry]) -> tuple[list[tuple[Entry, str]], list[Problem]]:
    """Return *entries*, each with its slug, and those whose name another has already.

    A rule is called by its ``name``, else by its file; of files with one name, the later ones get
    some of their digest appended.
    """
    taken: dict[str, Entry] = {}
    named: list[tuple[Entry, str]] = []
    clashes: list[Problem] = []
    for entry in sorted(entries, key=lambda entry: not entry.place.name):
        slug = _slug(entry)
        if slug in taken and not entry.place.name:
            slug = f"{slug[: MAX_SLUG - 9]}-{entry.place.digest[:8]}"
        if slug in taken:
            other = taken[slug]
            reason = f"the rule {slug!r} is already in {other.path}:{other.place.line}"
            clashes.append(Problem(entry.path, entry.place.name_line, reason))
        else:
            taken[slug] = entry
            named.append((entry, slug))
    return sorted(named, key=lambda one: (one[0].path, one[0].place.index)), clashes


def _slug(entry: Entry) -> str:
    if entry.place.name:
        return as_slug(entry.place.name)
    suffix = "" if entry.place.alone else f"-{entry.place.index + 1}"
    return as_slug(entry.path.stem)[: MAX_SLUG - len(suffix)] + suffix


def as_slug(text: str) -> str:
    """Return *text* in the characters of a slug."""
    slug = NOT_SLUG.sub("-", text.lower()).strip("-_")
    return slug[:MAX_SLUG].rstrip("-") or "rule"
