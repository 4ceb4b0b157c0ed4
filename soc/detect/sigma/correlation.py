"""Read correlations: rules about how often other rules hit."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Any

from sigma.correlations import SigmaCorrelationTimespan
from sigma.exceptions import (
    SigmaConditionError,
    SigmaCorrelationConditionError,
    SigmaCorrelationRuleError,
    SigmaCorrelationTypeError,
    SigmaRuleLocation,
    SigmaTimespanError,
)

from soc.detect.sigma.compile import parse
from soc.detect.sigma.predicate import Order
from soc.detect.sigma.rule import Correlation, CountKind
from soc.detect.sigma.source import Source
from soc.detect.sigma.text import exactly
from soc.detect.sigma.threshold import Bounds, Condition, Expression
from soc.detect.sigma.ways import ways_of

KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
IN_TIME = (CountKind.TEMPORAL, CountKind.TEMPORAL_ORDERED)
ONE_FIELD = frozenset(CountKind) - {CountKind.EVENT_COUNT, CountKind.VALUE_COUNT, *IN_TIME}
COUNTS = frozenset({CountKind.EVENT_COUNT, CountKind.VALUE_COUNT, *IN_TIME})


def is_correlation(source: Source) -> bool:
    """Return whether *source* is a correlation, not a rule about single events."""
    return "correlation" in source.plain


def read_correlation(
    source: Source, about: Mapping[str, Any], slugs: Mapping[str, str]
) -> Correlation:
    """Return the correlation that *source* is; raise pySigma's errors.

    slugs: for each name and id of a loaded rule, what it is called.
    """
    written = source.plain["correlation"]
    if not isinstance(written, Mapping):
        reason = f"a correlation is a map of keys: {', '.join(KEYS[:5])}"
        raise SigmaCorrelationRuleError(reason, source=source.locate("correlation"))
    unknown = sorted(str(key) for key in written if key not in KEYS)
    if unknown:
        at = source.locate("correlation", unknown[0])
        reason = f"unknown key {unknown[0]!r}: a correlation has {', '.join(KEYS)}"
        raise SigmaCorrelationRuleError(reason, source=at)
    return _Reader(source, written, slugs).read(about)


class _Reader:
    """Reads one correlation; each mistake is told where it is written."""

    def __init__(
        self, source: Source, written: Mapping[str, Any], slugs: Mapping[str, str]
    ) -> None:
        self._source, self._written, self._slugs = source, written, slugs
        self._kind = self._type()

    def read(self, about: Mapping[str, Any]) -> Correlation:
        """Return the correlation, which says *about* itself what all rules say."""
        rules = self._rules()
        return Correlation(
            **about,
            kind=self._kind,
            rules=rules,
            group_by=self._texts("group-by", self._written.get("group-by") or []),
            timespan=self._timespan(),
            condition=self._condition(rules),
            counted=self._counted(),
            percentile=self._percentile(),
            aliases=self._aliases(),
            generate=self._generate(),
        )

    def _at(self, *place: object) -> SigmaRuleLocation:
        return self._source.locate("correlation", *place)

    def _type(self) -> CountKind:
        written = self._written.get("type")
        if written not in list(CountKind):
            reason = f"the type {written!r} is none: write {', '.join(CountKind)}"
            raise SigmaCorrelationTypeError(reason, source=self._at("type"))
        return CountKind(written)

    def _texts(self, key: str, written: object) -> tuple[str, ...]:
        texts = written if isinstance(written, list) else [written]
        if not all(isinstance(text, str) for text in texts):
            reason = f"{key} is a text, or a list of texts"
            raise SigmaCorrelationRuleError(reason, source=self._at(key))
        return tuple(texts)

    def _rules(self) -> tuple[str, ...]:
        written = self._written.get("rules")
        if written is None and isinstance(self._written.get("condition"), str):
            identified: list[str] = []
            _each_name(self._parsed(), identified.append)
            written = list(dict.fromkeys(identified))
        rules = self._texts("rules", written or [])
        if not rules:
            reason = "rules is missing: a correlation counts the hits of rules"
            raise SigmaCorrelationRuleError(reason, source=self._at("rules"))
        found = [self._slug(one, self._at("rules")) for one in rules]
        return tuple(dict.fromkeys(found))

    def _slug(self, reference: object, at: SigmaRuleLocation) -> str:
        if str(reference) not in self._slugs:
            reason = f"{reference!r} is neither name nor id of a rule that was loaded"
            raise SigmaCorrelationRuleError(reason, source=at)
        return self._slugs[str(reference)]

    def _timespan(self) -> timedelta:
        written = self._written.get("timespan")
        try:
            return timedelta(seconds=SigmaCorrelationTimespan(str(written)).seconds)
        except (SigmaTimespanError, OverflowError) as wrong:
            reason = f"the timespan {written!r} is none: write a number and s, m, h or d, as in 15m"
            raise SigmaTimespanError(reason, source=self._at("timespan")) from wrong

    def _condition(self, rules: tuple[str, ...]) -> Condition:
        written = self._written.get("condition")
        if written is None and self._kind in IN_TIME:
            return Bounds(((Order.GTE, Fraction(len(rules))),))
        if isinstance(written, str) and self._kind in IN_TIME:
            return self._expression(rules)
        if not isinstance(written, Mapping):
            reason = "a condition is a map, such as gte: 5; of temporal types also a text"
            raise self._wrong(reason)
        return self._bounds(written)

    def _bounds(self, written: Mapping[str, Any]) -> Bounds:
        unknown = [key for key in written if key not in (*Order, "field", "percentile")]
        if unknown:
            reason = f"a condition has {', '.join(Order)}, field and percentile: not {unknown[0]!r}"
            raise self._wrong(reason, unknown[0])
        bounds = []
        for key in (key for key in written if key in list(Order)):
            number = exactly(written[key])
            if number is None:
                raise self._wrong(f"{key} is a number, not {written[key]!r}", key)
            bounds.append((Order(key), number))
        if not bounds:
            raise self._wrong(f"one or two of {', '.join(Order)} are needed")
        made = Bounds(tuple(bounds))
        self._refuse_idle(made)
        return made

    def _refuse_idle(self, bounds: Bounds) -> None:
        """Refuse a count that everything or nothing reaches."""
        if self._kind not in COUNTS:
            return
        if bounds.rises and bounds.holds(0):
            raise self._wrong("a count of nothing is always true: write a higher number")
        near = (int(bound) + step for _, bound in bounds.bounds for step in (-1, 0, 1))
        if not any(bounds.holds(count) for count in near if count >= 0):
            raise self._wrong("no count is like that: it is never true")

    def _expression(self, rules: tuple[str, ...]) -> Expression:
        try:
            ways = ways_of(self._parsed())
        except (OverflowError, TypeError) as wrong:
            raise self._wrong(str(wrong)) from wrong
        at = self._at("condition")
        ways = tuple(
            way._replace(
                present=frozenset(self._slug(name, at) for name in way.present),
                absent=frozenset(self._slug(name, at) for name in way.absent),
            )
            for way in ways
        )
        named = frozenset().union(*(way.present | way.absent for way in ways))
        if not ways:
            raise self._wrong("it is never true")
        if unnamed := sorted({*rules} - named):
            raise self._wrong(
                f"the condition does not name {unnamed[0]!r}, which is among the rules"
            )
        if other := sorted(named - {*rules}):
            raise self._wrong(f"the condition names {other[0]!r}, which the rules do not")
        if self._kind is CountKind.TEMPORAL_ORDERED and any(way.absent for way in ways):
            raise self._wrong("not has no order: use the type temporal")
        return Expression(ways)

    def _parsed(self) -> object:
        try:
            return parse(str(self._written["condition"]), self._at("condition"))
        except SigmaConditionError as wrong:
            raise self._wrong(str(wrong.args[0])) from wrong

    def _counted(self) -> tuple[str, ...]:
        """Return the fields that are measured; several are counted as one value."""
        condition = self._written.get("condition")
        written = condition.get("field") if isinstance(condition, Mapping) else None
        if self._kind not in ONE_FIELD | {CountKind.VALUE_COUNT}:
            if written is not None:
                raise self._wrong(f"{self._kind} looks at no field", "field")
            return ()
        fields = self._texts("field", written or [])
        if not fields or (self._kind in ONE_FIELD and len(fields) > 1):
            many = "one" if self._kind in ONE_FIELD else "at least one"
            raise self._wrong(f"{self._kind} needs {many} field in its condition", "field")
        return fields

    def _percentile(self) -> int:
        condition = self._written.get("condition")
        written = condition.get("percentile") if isinstance(condition, Mapping) else None
        if self._kind is not CountKind.VALUE_PERCENTILE:
            if written is not None:
                raise self._wrong(f"{self._kind} has no percentile", "percentile")
            return 50
        if type(written) is not int or written not in range(101):
            reason = "say which percentile, a whole number from 0 to 100, as in percentile: 95"
            raise self._wrong(reason, "percentile")
        return written

    def _aliases(self) -> dict[str, dict[str, str]]:
        written = self._written.get("aliases") or {}
        at = self._at("aliases")
        if not isinstance(written, Mapping) or not all(
            isinstance(fields, Mapping) for fields in written.values()
        ):
            reason = "aliases are maps: for each alias, the field of each rule"
            raise SigmaCorrelationRuleError(reason, source=at)
        return {
            str(alias): {self._slug(rule, at): str(name) for rule, name in fields.items()}
            for alias, fields in written.items()
        }

    def _generate(self) -> bool:
        written = self._written.get("generate", False)
        if not isinstance(written, bool):
            reason = "generate is true or false"
            raise SigmaCorrelationRuleError(reason, source=self._at("generate"))
        return written

    def _wrong(self, reason: str, *place: object) -> SigmaCorrelationConditionError:
        return SigmaCorrelationConditionError(reason, source=self._at("condition", *place))


def _each_name(item: object, take: Callable[[str], None]) -> None:
    """Show *take* every rule that the parsed condition *item* names, in their order."""
    if hasattr(item, "identifier"):
        take(str(item.identifier))
        return
    for part in getattr(item, "args", ()):
        _each_name(part, take)
