"""Decide which rules an event is for, by where it comes from.

- An event with a ``Channel``, or a dataset ``windows.*``, is for rules of the product windows; of
  these only for such as can hold with its Channel and EventID.
- An event with an ``event.dataset`` is for the log sources that DATASETS names, and for the one
  that is spelled like it: dataset ``shop.audit`` is product shop, service audit.
- An event with neither, as in a scan of raw NDJSON, cannot be attributed. It is shown to every
  rule that does not need a Channel: a scan would rather say too much than miss something.

A rule is for a log source if all that the rule says of it is true: a rule that only says
``category: webserver`` is for every web server.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from soc.detect.sigma.condition import And, FieldMatch, Node, Or
from soc.detect.sigma.event import Event, Scalar, key_of
from soc.detect.sigma.predicate import Equals, Number, Predicate
from soc.detect.sigma.rule import LogSource, Rule
from soc.model.text import fold

DATASETS: Mapping[str, tuple[LogSource, ...]] = MappingProxyType(
    {
        "funding.donation": (LogSource(product="funding", service="api"),),
        "platform.access": (
            LogSource(product="funding", service="access"),
            LogSource(category="webserver"),
        ),
        "platform.auth": (LogSource(product="funding", service="auth"),),
        "indexer.status": (LogSource(product="funding", service="indexer"),),
        "chain.donation": (LogSource(product="chain", service="donation"),),
        "chain.transfer": (LogSource(product="chain", service="transfer"),),
        "nginx.access": (LogSource(category="webserver", product="nginx", service="access"),),
        "sshd": (
            LogSource(product="linux", service="sshd"),
            LogSource(product="linux", service="auth"),
        ),
        "system.auth": (LogSource(product="linux", service="auth"),),
    }
)

Keys = frozenset[str | float]
"""Values as an index knows them: folded text, and the number that it is."""

MAX_ROUTES = 4096
"""Origins remembered; a stream that invents more is only slower."""


class Routes:
    """The rules for each origin of events; an origin's rules are found once."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [
            (rule, _required(rule, "Channel"), _required(rule, "EventID")) for rule in rules
        ]
        self._known: dict[tuple[Keys, Keys, Keys], tuple[Rule, ...]] = {}

    def rules_for(self, event: Event) -> tuple[Rule, ...]:
        """Return the rules that *event* must be shown to, in their order."""
        channels, ids = _keys(event.scalars("Channel")), _keys(event.scalars("EventID"))
        datasets = _keys(event.scalars("event.dataset"))
        origin = (channels, ids, datasets)
        rules = self._known.get(origin)
        if rules is None:
            if len(self._known) >= MAX_ROUTES:
                self._known.clear()
            rules = self._known[origin] = tuple(self._find(channels, ids, datasets))
        return rules

    def _find(self, channels: Keys, ids: Keys, datasets: Keys) -> Iterable[Rule]:
        for rule, channel, event_id in self._rules:
            can_hold = _admits(channel, channels) and _admits(event_id, ids)
            if can_hold and _comes_from(rule.logsource, channels, datasets):
                yield rule


def is_for(source: LogSource, dataset: str) -> bool:
    """Return whether all that *source* says is true of *dataset*."""
    product, _, service = dataset.partition(".")
    known = (*DATASETS.get(dataset, ()), LogSource(product=product, service=service or None))
    return any(
        all(wanted in (None, given) for wanted, given in zip(source, one, strict=True))
        for one in known
    )


def _comes_from(source: LogSource, channels: Keys, datasets: Keys) -> bool:
    if not channels and not datasets:
        return True
    names = [name for name in datasets if isinstance(name, str)]
    if source.product == "windows":
        return bool(channels) or any(name.startswith("windows.") for name in names)
    return any(is_for(source, name) for name in names)


def _required(rule: Rule, field: str) -> Keys | None:
    return required(rule.condition, key_of(field))


def required(node: Node, key: str) -> Keys | None:
    """Return values of which the field *key* must have one if *node* is to hold; None: any."""
    match node:
        case FieldMatch() if key_of(node.field) == key:
            return _wanted(node.predicates)
        case And():
            known = [keys for part in node.parts if (keys := required(part, key)) is not None]
            # Only one of them: with a list of values, each part may mean another element.
            return min(known, key=len, default=None)
        case Or():
            each = [required(part, key) for part in node.parts]
            return frozenset().union(*(keys for keys in each if keys)) if all(each) else None
    return None


def _wanted(predicates: Iterable[Predicate]) -> Keys | None:
    keys: set[str | float] = set()
    for predicate in predicates:
        match predicate:
            case Equals():
                keys.update(map(fold, predicate.needles))
            case Number():
                keys.add(predicate.number)
            case _:
                return None
    return frozenset(keys)


def _keys(scalars: Iterable[Scalar]) -> Keys:
    keys: set[str | float] = set()
    for scalar in scalars:
        keys.add(scalar.folded)
        if scalar.number is not None:
            keys.add(scalar.number)
    return frozenset(keys)


def _admits(wanted: Keys | None, given: Keys) -> bool:
    return wanted is None or not wanted.isdisjoint(given)
