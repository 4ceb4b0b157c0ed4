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

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain, islice
from types import MappingProxyType
from typing import Any

from soc.detect.sigma.condition import And, FieldMatch, Node, Or
from soc.detect.sigma.engine.ground import Ground
from soc.detect.sigma.engine.hyper import Databases
from soc.detect.sigma.engine.partition import Partition
from soc.detect.sigma.engine.resolver import MISSING, Path, Resolver
from soc.detect.sigma.event import Event, Scalar, key_of
from soc.detect.sigma.pipelines import origin_of
from soc.detect.sigma.predicate import Equals, Number, Predicate
from soc.detect.sigma.rule import LogSource, Rule
from soc.detect.sigma.shippers import ACTIONS
from soc.model.text import fold

AUDITED = (
    LogSource(product="linux", service="auditd"),
    *(LogSource(category, "linux") for category in ACTIONS),
)
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
        "syslog": (LogSource(product="linux", service="syslog"),),
        "system.syslog": (LogSource(product="linux", service="syslog"),),
        "auditd.log": AUDITED,
        "auditd_manager.auditd": AUDITED,
    }
)

Keys = frozenset[str | float]
"""Values as an index knows them: folded text, and the number that it is."""

NO_KEYS: Keys = frozenset()
PLAIN = frozenset({str, int, type(MISSING)})
"""What most origins are told by."""
MAX_ROUTES = 4096
"""Origins remembered; a stream that invents more is only slower."""


class Route:
    """The rules for events of one origin, and what decides about them together."""

    def __init__(
        self, every: Sequence[Rule], places: Sequence[int], ground: Callable[[], Ground]
    ) -> None:
        self.rules = tuple(every[place] for place in places)
        self._places, self._ground = places, ground

    @cached_property
    def partition(self) -> Partition:
        """What decides about them together."""
        return Partition(self._places, self._ground())


class Routes:
    """The rules for each origin of events; an origin's rules are found once."""

    def __init__(
        self,
        rules: Sequence[Rule],
        databases: Databases | None = None,
        pipelines: Sequence[str] = (),
    ) -> None:
        self._every, self._databases = tuple(rules), databases
        self._origin = origin_of(pipelines)
        self.origin = tuple(name for names in self._origin for name in names)
        """The fields that say where an event comes from."""
        self._resolver = Resolver(enumerate(map(key_of, self.origin)))
        self._known: dict[tuple[Keys, ...], Route] = {}
        self._quick: dict[tuple[object, ...], Route] = {}
        self._shared: dict[tuple[int, ...], Route] = {}

    @cached_property
    def _wanted(self) -> dict[tuple[LogSource, Keys | None, Keys | None], list[int]]:
        """The places of rules by what they want: thousands want the same few dozen things."""
        wanted: defaultdict[tuple[LogSource, Keys | None, Keys | None], list[int]]
        wanted = defaultdict(list)
        for place, rule in enumerate(self._every):
            channel, event_id = (_required(rule, names) for names in self._origin[:2])
            key = (rule.logsource, channel, event_id)
            wanted[key].append(place)
        return wanted

    @cached_property
    def _ground(self) -> Ground:
        return Ground(self._every, self._databases)

    @cached_property
    def whole(self) -> Partition:
        """What decides about all rules, as if an event might be from anywhere."""
        return Partition(range(len(self._every)), self._ground)

    @cached_property
    def telling(self) -> frozenset[str]:
        """Fields, but those of the origin, of which one must say something if any rule holds.

        Empty if there are no such.
        """
        origin = frozenset(map(key_of, self.origin))
        found = self._ground.telling(origin)
        return found if found.isdisjoint(origin) else frozenset()

    @cached_property
    def resolver(self) -> Resolver:
        """Knows the shapes of events: of all that any rule asks, and of what tells the origin."""
        origin = map(key_of, self.origin)
        return Resolver(enumerate(sorted(self._ground.fields.union(origin))))

    def paths(self, document: Mapping[str, Any]) -> list[Path] | None:
        """Return where events that are like *document* say where they are from.

        Returns None if one of these fields may stand in more than one place.
        """
        paths = self._resolver.paths(document)
        return None if paths is None else [path for path in paths if path is not None]

    def route_of(self, event: Event) -> Route:
        """Return where *event* goes: to the rules that it must be shown to, in their order."""
        values: list[Any] = [MISSING] * len(self.origin)
        if not self._resolver.read(event.document, values):
            return self._route(event)
        origin = (*map(type, values), *values)
        try:
            route = self._quick.get(origin)
        except TypeError:  # a list or an object
            return self._route(event)
        if route is None:
            if len(self._quick) >= MAX_ROUTES:
                self._quick.clear()
            route = self._quick[origin] = self._route(event, values)
        return route

    def _route(self, event: Event, values: Sequence[Any] = ()) -> Route:
        """Return where *event* goes; values: what it has under each name of its origin."""
        if values and PLAIN.issuperset(map(type, values)):
            each = (_keys_of(value) if value is not MISSING else NO_KEYS for value in values)
            origin = tuple(NO_KEYS.union(*islice(each, len(names))) for names in self._origin)
        else:
            origin = tuple(_keys(chain.from_iterable(map(event.scalars, n))) for n in self._origin)
        route = self._known.get(origin)
        if route is None:
            if len(self._known) >= MAX_ROUTES:
                self._known.clear()
            places = tuple(sorted(self._find(*origin)))
            if (route := self._shared.get(places)) is None:
                if len(self._shared) >= MAX_ROUTES:
                    self._shared.clear()
                route = self._shared[places] = Route(self._every, places, lambda: self._ground)
            self._known[origin] = route
        return route

    def _find(self, channels: Keys, ids: Keys, datasets: Keys) -> Iterable[int]:
        for (source, channel, event_id), places in self._wanted.items():
            can_hold = _admits(channel, channels) and _admits(event_id, ids)
            if can_hold and _comes_from(source, channels, datasets):
                yield from places


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


def _required(rule: Rule, names: Iterable[str]) -> Keys | None:
    return required(rule.condition, frozenset(map(key_of, names)))


def required(node: Node, keys_of: frozenset[str]) -> Keys | None:
    """Return values of which a field that is called so must have one if *node* is to hold.

    None: it may have any, or none.
    """
    match node:
        case FieldMatch() if key_of(node.field) in keys_of:
            return _wanted(node.predicates)
        case And():
            known = [keys for part in node.parts if (keys := required(part, keys_of)) is not None]
            # Only one of them: with a list of values, each part may mean another element.
            return min(known, key=len, default=None)
        case Or():
            each = [required(part, keys_of) for part in node.parts]
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


@lru_cache(maxsize=4096, typed=True)
def _keys_of(value: str | int) -> Keys:
    return _keys([Scalar(value)])


def _admits(wanted: Keys | None, given: Keys) -> bool:
    return wanted is None or not wanted.isdisjoint(given)
