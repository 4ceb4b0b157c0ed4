"""Give each rule the one name that everything refers to."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Union

from soc.detect.sigma.draft import Draft, Filter, Mistake, Place
from soc.errors import Problem

if TYPE_CHECKING:
    from soc.detect.sigma.drafting import Correlated  # pySigma

MAX_SLUG = 128
NOT_SLUG = re.compile(r"[^a-z0-9_-]+")


class Entry(NamedTuple):
    """What stands at a place of a file; a correlation is there as it is written.

    slug: what it is called if nothing else is. order: puts entries in the order of their paths,
    folder by folder.
    """

    path: Path
    made: Union[Draft, Filter, Mistake, "Correlated"]
    place: Place
    slug: str
    order: tuple[str, int]


def entry(path: Path, made: Union[Draft, Filter, Mistake, "Correlated"]) -> Entry:
    """Return what stands in the file at *path*."""
    place = made.place
    slug = as_slug(place.name) if place.name else _slug_of(path, place)
    return Entry(path, made, place, slug, (str(path).replace("/", "\0"), place.index))


def name_all(entries: Sequence[Entry]) -> tuple[list[tuple[Entry, str]], list[Problem]]:
    """Return *entries*, each with its slug, and those whose name another has already.

    A rule is called by its ``name``, else by its file; of files with one name, the later ones get
    some of their digest appended.
    """
    taken: dict[str, Entry] = {}
    named: list[tuple[Entry, str]] = []
    clashes: list[Problem] = []
    for one in sorted(entries, key=_is_nameless):
        slug = one.slug
        if slug in taken and not one.place.name:
            slug = f"{slug[: MAX_SLUG - 9]}-{one.place.digest[:8]}"
        if slug in taken:
            other = taken[slug]
            reason = f"the rule {slug!r} is already in {other.path}:{other.place.line}"
            clashes.append(Problem(one.path, one.place.name_line, reason))
        else:
            taken[slug] = one
            named.append((one, slug))
    return sorted(named, key=_in_order), clashes


def _is_nameless(one: Entry) -> bool:
    return not one.place.name


def _in_order(one: tuple[Entry, str]) -> tuple[str, int]:
    return one[0].order


def _slug_of(path: Path, place: Place) -> str:
    if place.alone:
        return _of_file(path)
    suffix = f"-{place.index + 1}"
    return _of_file(path)[: MAX_SLUG - len(suffix)] + suffix


@lru_cache(maxsize=20_000)
def _of_file(path: Path) -> str:
    return as_slug(path.stem)


def as_slug(text: str) -> str:
    """Return *text* in the characters of a slug."""
    slug = NOT_SLUG.sub("-", text.lower()).strip("-_")
    return slug[:MAX_SLUG].rstrip("-") or "rule"
