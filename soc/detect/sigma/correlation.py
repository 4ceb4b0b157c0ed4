"""Read correlations: rules about how often other rules hit."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)
from sigma.exceptions import (
    SigmaCorrelationConditionError,
    SigmaCorrelationRuleError,
    SigmaCorrelationTypeError,
    SigmaRuleLocation,
)

from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.source import Source

KINDS = {
    SigmaCorrelationType.EVENT_COUNT: CountKind.EVENT_COUNT,
    SigmaCorrelationType.VALUE_COUNT: CountKind.VALUE_COUNT,
}


def is_correlation(source: Source) -> bool:
    """Return whether *source* is a correlation, not a rule about single events."""
    return "correlation" in source.plain


def read_correlation(
    source: Source, about: Mapping[str, Any], slugs: Mapping[str, str]
) -> Correlation:
    """Return the correlation that *source* is; raise pySigma's errors.

    slugs: for each name and id of a loaded rule, what it is called.
    """
    if not isinstance(source.plain["correlation"], Mapping):
        reason = "a correlation is a map of keys: type, rules, group-by, timespan, condition"
        raise SigmaCorrelationRuleError(reason, source=source.locate("correlation"))
    read = SigmaCorrelationRule.from_dict(dict(source.plain), source=source.locate("correlation"))
    if read.type not in KINDS:
        reason = f"{read.type} is not decidable yet: use {' or '.join(CountKind)}"
        raise SigmaCorrelationTypeError(reason, source=source.locate("correlation", "type"))
    at = source.locate("correlation", "rules")
    rules = tuple(_slug(one.reference, slugs, at) for one in read.rules or ())
    if not rules:
        raise SigmaCorrelationRuleError("a correlation counts the hits of rules", source=at)
    aliases = {
        alias.alias: {
            _slug(one.reference, slugs, source.locate("correlation", "aliases")): name
            for one, name in alias.mapping.items()
        }
        for alias in read.aliases
    }
    return Correlation(
        **about,
        kind=KINDS[read.type],
        rules=rules,
        group_by=tuple(read.group_by or ()),
        timespan=timedelta(seconds=read.timespan.seconds),
        needs=_needs(read.condition, source),
        counted=_counted(read.condition),
        aliases=aliases,
        generate=read.generate,
    )


def _counted(condition: object) -> tuple[str, ...]:
    """Return the fields whose values are counted; several are counted as one value."""
    names = getattr(condition, "fieldref", None) or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _needs(condition: object, source: Source) -> int:
    """Return from which count on the correlation is true."""
    at = source.locate("correlation", "condition")
    if not isinstance(condition, SigmaCorrelationCondition):
        raise SigmaCorrelationConditionError("a condition is a map, such as gte: 5", source=at)
    operators = SigmaCorrelationConditionOperator
    if condition.op not in (operators.GT, operators.GTE):
        word = condition.op.name.lower()
        reason = f"{word} is not decidable yet, since more may come: use gt or gte"
        raise SigmaCorrelationConditionError(reason, source=at)
    needs = condition.count + (condition.op is operators.GT)
    if needs < 1:
        raise SigmaCorrelationConditionError("a count of nothing is always true", source=at)
    return needs


def _slug(reference: object, slugs: Mapping[str, str], at: SigmaRuleLocation) -> str:
    if str(reference) not in slugs:
        reason = f"{reference!r} is neither name nor id of a rule that was loaded"
        raise SigmaCorrelationRuleError(reason, source=at)
    return slugs[str(reference)]
