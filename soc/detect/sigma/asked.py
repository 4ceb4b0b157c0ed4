"""Which fields rules ask for: what is worth a column of its own."""

from collections.abc import Iterator

from soc.detect.sigma.condition import (
    And,
    FieldExists,
    FieldIsNull,
    FieldMatch,
    FieldReference,
    Node,
    Not,
    Or,
)
from soc.detect.sigma.rule import Correlation
from soc.detect.sigma.ruleset import Ruleset


def fields_of(ruleset: Ruleset) -> frozenset[str]:
    """Return the names of all fields that rules and correlations in *ruleset* look at.

    Those that say where an event comes from are always among them.
    """
    asked = {name for rule in ruleset.rules for name in _asked(rule.condition)}
    asked.update(ruleset.origin)
    for correlation in ruleset.correlations:
        asked.update(_grouped(correlation))
    return frozenset(asked)


def _asked(node: Node) -> Iterator[str]:
    match node:
        case And() | Or():
            for part in node.parts:
                yield from _asked(part)
        case Not():
            yield from _asked(node.part)
        case FieldReference():
            yield from (node.field, node.other)
        case FieldMatch() | FieldExists() | FieldIsNull():
            yield node.field


def _grouped(correlation: Correlation) -> Iterator[str]:
    yield from (*correlation.group_by, *correlation.counted)
    for by_rule in correlation.aliases.values():
        yield from by_rule.values()
