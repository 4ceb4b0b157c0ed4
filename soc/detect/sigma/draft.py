"""A rule as it was compiled: all of it that does not depend on where its file lies."""

from dataclasses import replace
from pathlib import Path

from msgspec import Struct

from soc.detect.sigma.combine import all_of
from soc.detect.sigma.condition import Node
from soc.detect.sigma.rule import Extras, LogSource, Rule


class Place(Struct, frozen=True, kw_only=True):
    """Where a rule stands in its file, and what that calls it.

    index: its place among the rules of the file. alone: no other rule is there. name: as written,
    or empty. line: of the rule, name_line: of its name. digest: SHA-256 of its text.
    """

    index: int
    alone: bool
    name: str
    line: int
    name_line: int
    digest: str


class Mistake(Struct, frozen=True, tag=True):
    """Why there is no rule at a place. line: of the file."""

    place: Place
    line: int
    message: str


class Filter(Struct, frozen=True, kw_only=True, tag=True):
    """What is left out of the hits of other rules.

    rules: names or ids; none means all that are for its log source. selections: names of its own.
    """

    place: Place
    title: str
    rules: tuple[str, ...]
    logsource: LogSource
    condition: Node
    selections: tuple[str, ...]

    def is_for(self, rule: Rule) -> bool:
        """Return whether it is written for the log source of *rule*, or a wider one."""
        pairs = zip(self.logsource, rule.logsource, strict=True)
        return all(own in (None, given) for own, given in pairs)

    def on(self, rule: Rule, slug: str) -> Rule:
        """Return *rule* without the hits that this filter, called *slug*, leaves out."""
        return replace(
            rule,
            condition=all_of([rule.condition, self.condition]),
            selections=(*rule.selections, *self.selections),
            filters=(*rule.filters, slug),
        )


class Draft(Struct, frozen=True, kw_only=True, tag=True):
    """A compiled rule. Its fields are those of Rule."""

    place: Place
    id: str
    title: str
    level: str
    status: str
    tags: tuple[str, ...]
    author: str
    licence: str
    extras: Extras
    logsource: LogSource
    condition: Node
    selections: tuple[str, ...]

    def rule(self, path: Path, slug: str) -> Rule:
        """Return the rule, called *slug*, of the file at *path*."""
        return Rule(
            id=self.id,
            name=slug,
            title=self.title,
            level=self.level,
            status=self.status,
            tags=self.tags,
            author=self.author,
            licence=self.licence,
            digest=self.place.digest,
            path=path,
            line=self.place.line,
            extras=self.extras,
            logsource=self.logsource,
            condition=self.condition,
            selections=self.selections,
        )
