"""What placeholders such as ``%servers%`` stand for: lists that a site keeps beside its rules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sigma.exceptions import SigmaValueError
from sigma.types import Placeholder, SigmaCasedString, SigmaString

from soc.content.kinds import load
from soc.errors import ContentError, Problem
from soc.model.value import Value

MOST = 10_000
"""Values that one text with placeholders may become."""
Placeholders = Mapping[str, Sequence[str]]


class _File(Value):
    layout: Annotated[Literal["commonwatch.placeholders/1"], Field(alias="schema")]
    values: Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]]


def read_placeholders(paths: Iterable[Path]) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    """Return what the files at *paths* say, later ones instead of earlier, and their mistakes."""
    values: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            values |= load(path, _File).values
        except ContentError as wrong:
            problems += wrong.problems
    return values, problems


def filled(text: SigmaString, placeholders: Placeholders) -> list[SigmaString]:
    """Return *text* with each value in the place of its placeholder; those without any stay.

    Raises SigmaValueError where that would be too many.
    """
    names = [part.name for part in text.s if isinstance(part, Placeholder)]
    count = 1
    for name in names:
        count *= len(placeholders.get(name, ("",)))
    if count > MOST:
        reason = f"its placeholders make {count} values of one: {MOST} are allowed"
        raise SigmaValueError(reason)
    if not names or not all(name in placeholders for name in names):
        return [text]

    def values(one: Placeholder) -> Iterator[str]:
        yield from placeholders[one.name]

    return [_as(text, made) for made in text.replace_placeholders(values)]


def _as(text: SigmaString, made: SigmaString) -> SigmaString:
    if isinstance(text, SigmaCasedString):
        cased = SigmaCasedString()
        cased.s = made.s
        return cased
    return made
