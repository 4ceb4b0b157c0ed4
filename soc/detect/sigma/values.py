"""Turn one typed value of a rule into the question it asks."""

from typing import Any

import re2
from sigma.exceptions import (
    SigmaPlaceholderError,
    SigmaRegularExpressionError,
    SigmaRuleLocation,
    SigmaTypeError,
    SigmaValueError,
)
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from soc.detect.sigma.predicate import (
    Compare,
    Contains,
    DatePart,
    EndsWith,
    Equals,
    Number,
    Order,
    Part,
    Pattern,
    Predicate,
    StartsWith,
    Within,
    compiled,
)
from soc.detect.sigma.text import text_of
from soc.model.text import fold

ANY, ONE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE


def predicate_of(value: SigmaType, at: SigmaRuleLocation, *, anywhere: bool) -> Predicate:
    """Return the question that *value* asks; *anywhere*: a keyword, found within any value."""
    match value:
        case SigmaString():
            return _text(value, at, anywhere=anywhere)
        case SigmaNumber():
            return _number(value, at, anywhere=anywhere)
        case SigmaBool():
            return Equals(frozenset({text_of(value.boolean)}))
        case SigmaRegularExpression():
            return _regex(value, at)
        case SigmaCIDRExpression():
            return Within(str(value.network))
        case SigmaCompareExpression():
            return _compare(value, at)
    raise SigmaTypeError(f"{type(value).__name__} cannot be evaluated here", source=at)


def _number(value: SigmaNumber, at: SigmaRuleLocation, *, anywhere: bool) -> Predicate:
    if isinstance(value, SigmaTimestampPart):
        return _date(value, Order.EQ, at)
    return Contains((fold(text_of(value.number)),)) if anywhere else Number(value.number)


def _text(value: SigmaString, at: SigmaRuleLocation, *, anywhere: bool) -> Predicate:
    _refuse_placeholders(value, at)
    cased = isinstance(value, SigmaCasedString)
    parts: list[Any] = [ANY, *value.s, ANY] if anywhere else list(value.s)
    is_open, goes_on = parts[:1] == [ANY], parts[-1:] == [ANY]
    while parts[:1] == [ANY]:
        parts.pop(0)
    while parts[-1:] == [ANY]:
        parts.pop()
    if any(isinstance(part, SpecialChars) for part in parts):
        return _glob([ANY] * is_open + parts + [ANY] * goes_on, at, cased=cased)
    text = "".join(parts)
    needle = text if cased else fold(text)
    if is_open and goes_on:
        return Contains((needle,), cased)
    if is_open:
        return EndsWith((needle,), cased)
    return StartsWith((needle,), cased) if goes_on else Equals(frozenset({needle}), cased)


def _glob(parts: list[Any], at: SigmaRuleLocation, *, cased: bool) -> Pattern:
    """Return a pattern for the whole text; ``?`` is one character, ``*`` spans lines."""
    stands = {ANY: ".*", ONE: "."}
    inner = "".join(stands[part] if part in stands else re2.escape(part) for part in parts)
    return _pattern(rf"(?s{'' if cased else 'i'})\A{inner}\z", at)


def _regex(value: SigmaRegularExpression, at: SigmaRuleLocation) -> Pattern:
    _refuse_placeholders(value.regexp, at)
    flags = "".join(sorted(SigmaRegularExpression.sigma_to_re_flag[flag] for flag in value.flags))
    # The parts are joined as they are: as text, pySigma would escape some of them.
    source = "".join(_written(part) for part in value.regexp.s)
    return _pattern(f"(?{flags}){source}" if flags else source, at)


def _written(part: object) -> str:
    return {ANY: "*", ONE: "?"}[part] if isinstance(part, SpecialChars) else str(part)


def _pattern(source: str, at: SigmaRuleLocation) -> Pattern:
    try:
        compiled(source)
    except re2.error as refused:
        why = refused.args[0]
        detail = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        reason = f"a regular expression that linear time cannot do: {detail}"
        raise SigmaRegularExpressionError(reason, source=at) from refused
    return Pattern(source)


def _compare(value: SigmaCompareExpression, at: SigmaRuleLocation) -> Predicate:
    if value.op is CompareOperators.NEQ:
        raise SigmaTypeError("use the modifier neq", source=at)
    order = Order(value.op.name.lower())
    if isinstance(value.number, SigmaTimestampPart):
        return _date(value.number, order, at)
    return Compare(order, value.number.number)


def _date(value: SigmaTimestampPart, order: Order, at: SigmaRuleLocation) -> DatePart:
    part = Part(value.timestamp_part.name.lower())
    if value.number not in part.numbers:
        first, last = part.numbers[0], part.numbers[-1]
        reason = f"{part} is a number from {first} to {last}, not {value.number}"
        raise SigmaValueError(reason, source=at)
    return DatePart(part, order, value.number)


def _refuse_placeholders(value: SigmaString, at: SigmaRuleLocation) -> None:
    names = sorted(part.name for part in value.s if isinstance(part, Placeholder))
    if names:
        reason = f"nothing says what the placeholder %{names[0]}% stands for"
        raise SigmaPlaceholderError(reason, source=at)
