"""Find the ways in which a condition about rules becomes true."""

from itertools import product

from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionItem, ConditionNOT

from soc.detect.sigma.threshold import Way

MAX_WAYS = 64
"""Ways in which an expression may become true."""


def ways_of(item: object, *, wanted: bool = True) -> tuple[Way, ...]:
    """Return the ways in which the parsed condition *item* is as *wanted*.

    Raises OverflowError where there are too many.
    """
    if isinstance(item, ConditionIdentifier):
        rule = frozenset({str(item.identifier)})
        return (Way(rule, frozenset()) if wanted else Way(frozenset(), rule),)
    if not isinstance(item, ConditionItem):
        raise TypeError("write rules, and, or, not and brackets")
    if isinstance(item, ConditionNOT):
        return ways_of(item.args[0], wanted=not wanted)
    parts = [ways_of(part, wanted=wanted) for part in item.args]
    ways = _together(parts) if isinstance(item, ConditionAND) is wanted else sum(parts, ())
    if len(ways) > MAX_WAYS:
        raise OverflowError(f"more than {MAX_WAYS} ways to become true: chain correlations")
    return tuple(way for way in dict.fromkeys(ways) if not way.present & way.absent)


def _together(parts: list[tuple[Way, ...]]) -> tuple[Way, ...]:
    ways: tuple[Way, ...] = (Way(frozenset(), frozenset()),)
    for part in parts:
        pairs = product(ways, part)
        ways = tuple(Way(a.present | b.present, a.absent | b.absent) for a, b in pairs)
        if len(ways) > MAX_WAYS:
            break
    return ways
