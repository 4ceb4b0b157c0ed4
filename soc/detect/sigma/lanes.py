"""Sort events into lanes: of each, only the values that rules ask for are kept meanwhile."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from soc.detect.sigma.engine.partition import Partition
from soc.detect.sigma.engine.references import Values
from soc.detect.sigma.engine.resolver import MAX_SHAPES, Path, Shape
from soc.detect.sigma.event import Event
from soc.detect.sigma.logsource import Routes

Document = Mapping[str, Any]
Row = tuple[Any, ...]
Read = Callable[[Document], Row]


class Reader:
    """Reads what stands at some *paths*: those in the same object together.

    places: of each path among what is read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        inside: defaultdict[Path, dict[str, None]] = defaultdict(dict)
        for *above, key in paths:
            inside[tuple(above)][key] = None
        read = [(*above, key) for above, keys in inside.items() for key in keys]
        places = {path: place for place, path in enumerate(read)}
        self.paths, self.places = paths, [places[path] for path in paths]
        self._objects = [(above, _getter(keys)) for above, keys in inside.items()]
        is_flat = inside.keys() <= {()}
        self.read: Read = _getter(inside[()]) if is_flat else self._read

    def _read(self, document: Document) -> Row:
        row: Row = ()
        for above, get in self._objects:
            found = document
            for key in above:
                found = found[key]
            row += get(found)
        return row


def _getter(keys: Iterable[str]) -> Read:
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
    """Events of one shape from one origin.

    partition: decides about them; None if each must be looked at by itself. types: of the values
    at the paths of the *origin*: 1 and true are alike to a dictionary. paths: as the partition has
    them.
    """

    def __init__(
        self,
        partition: Partition | None = None,
        origin: Sequence[Path] = (),
        types: tuple[type, ...] = (),
        paths: Sequence[Path | None] = (),
    ) -> None:
        self.partition = partition
        self.is_asked = partition is None or bool(partition.rules)
        reader = Reader([*origin, *(path for path in paths if path is not None)])
        self.read = reader.read
        self._places = reader.places
        self._types, self._paths = types, paths

    def values(self, rows: list[Row]) -> list[Values | None] | None:
        """Return what stands at each of the paths; None if the origins are not all alike."""
        read = list(zip(*rows, strict=True))
        columns = iter([read[place] for place in self._places])
        for one in self._types:
            if set(map(type, next(columns))) != {one}:
                return None
        return [None if path is None else next(columns) for path in self._paths]


@dataclass(slots=True)
class Plan:
    """What to do with events of one shape. origin: reads what tells where they are from."""

    origin: Reader
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
        plans, shape_of = self._plans, self._routes.resolver.shape
        for place, document in enumerate(documents):
            if document is None:
                continue
            plan = plans.get(shape := shape_of(document))
            if plan is None:
                plan = self._learn(shape, document)
            try:
                lane = plan.lanes.get(origin := plan.origin.read(document))
                if lane is None:
                    lane = self._open(plan, origin, document)
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

    def _learn(self, shape: Shape, document: Document) -> Plan:
        """Return what to do with *document*, which is the first of its shape."""
        if len(self._plans) >= MAX_SHAPES:
            self._plans.clear()
        origin = self._routes.paths(document)
        plan = Plan(Reader(()), {(): ODD}) if origin is None else Plan(Reader(origin))
        self._plans[shape] = plan
        return plan

    def _open(self, plan: Plan, origin: Row, document: Document) -> Lane:
        """Return the lane of *document*, which is the first of its kind."""
        self._opened += 1
        if self._opened > MAX_LANES:
            self._opened = 0
            self._plans.clear()
        partition = self._routes.route_of(Event(document)).partition
        paths = partition.paths(document)
        made = ODD
        if paths is not None:
            types = tuple(type(origin[place]) for place in plan.origin.places)
            made = Lane(partition, plan.origin.paths, types, paths)
        plan.lanes[origin] = made
        return made
