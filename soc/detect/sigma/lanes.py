"""Sort events into lanes: of each, only the values that rules ask for are kept meanwhile."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from soc.detect.sigma.engine.partition import Partition
from soc.detect.sigma.engine.references import Values
from soc.detect.sigma.engine.resolver import MAX_SHAPES, Shape
from soc.detect.sigma.event import Event
from soc.detect.sigma.logsource import Routes

Document = Mapping[str, Any]
Row = tuple[Any, ...]
Read = Callable[[Document], Row]


def _reader(keys: Iterable[str]) -> Read:
    """Return what gives the values under *keys*, always as a tuple."""
    names = tuple(keys)
    if len(names) > 1:
        return itemgetter(*names)
    if names:
        (name,) = names
        return lambda document: (document[name],)
    return lambda _: ()


MAX_LANES = 20_000
"""Lanes remembered; a stream that invents more is only slower."""


class Lane:
    """Events with the same keys from one origin.

    partition: decides about them; None if each must be looked at by itself. types: of the values
    that tell the origin: 1 and true are alike to a dictionary. keys: as the partition has them.
    """

    def __init__(
        self,
        partition: Partition | None = None,
        origin: Shape = (),
        types: tuple[type, ...] = (),
        keys: tuple[str | None, ...] = (),
    ) -> None:
        self.partition = partition
        self.is_asked = partition is None or bool(partition.rules)
        self.read = _reader([*origin, *(key for key in keys if key is not None)])
        self._types, self._keys = types, keys

    def values(self, rows: list[Row]) -> list[Values | None] | None:
        """Return what stands under each of the keys; None if the origins are not all alike."""
        columns = iter(zip(*rows, strict=True))
        for one in self._types:
            if set(map(type, next(columns))) != {one}:
                return None
        return [None if key is None else next(columns) for key in self._keys]


@dataclass(slots=True)
class Plan:
    """What to do with events of one shape. origin: reads what tells where they are from."""

    keys: Shape
    origin: Read
    lanes: dict[Row, Lane] = field(default_factory=dict)


class Group(NamedTuple):
    """The rows of a lane, and where their events are among all that were given."""

    places: list[int]
    rows: list[Row]


ODD = Lane()
"""For events that must be looked at one by one."""


class Lanes:
    """Knows the lane of events of every shape and origin that it has seen."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._plans: dict[Shape, Plan] = {}
        self._opened = 0

    def sort(self, documents: Iterable[Document | None]) -> Iterator[tuple[Lane, Group]]:
        """Yield *documents* in groups; None stands for one that is not there."""
        groups: dict[Lane, Group] = {}
        ways: dict[Lane, tuple[Callable[[int], None], Callable[[Row], None], Read]] = {}
        plans = self._plans
        for place, document in enumerate(documents):
            if document is None:
                continue
            plan = plans.get(shape := tuple(document))
            if plan is None:
                plan = self._learn(shape)
            try:
                lane = plan.lanes.get(origin := plan.origin(document))
                if lane is None:
                    lane = self._open(plan, shape, origin, document)
            except TypeError:  # the origin is a list or an object
                lane = ODD
            way = ways.get(lane)
            if way is None:
                if not lane.is_asked:
                    continue
                places, rows = groups[lane] = Group([], [])
                way = ways[lane] = places.append, rows.append, lane.read
            note, add, read = way
            note(place)
            add(read(document))
        yield from groups.items()

    def _learn(self, shape: Shape) -> Plan:
        if len(self._plans) >= MAX_SHAPES:
            self._plans.clear()
        keys = self._routes.keys(shape)
        plan = Plan((), _reader([]), {(): ODD}) if keys is None else Plan(keys, _reader(keys))
        self._plans[shape] = plan
        return plan

    def _open(self, plan: Plan, shape: Shape, origin: Row, document: Document) -> Lane:
        """Return the lane of *document*, which is the first of its kind."""
        self._opened += 1
        if self._opened > MAX_LANES:
            self._opened = 0
            self._plans.clear()
        partition = self._routes.route_of(Event(document)).partition
        keys = partition.keys(shape)
        made = ODD
        if keys is not None:
            made = Lane(partition, plan.keys, tuple(map(type, origin)), keys)
        plan.lanes[origin] = made
        return made
