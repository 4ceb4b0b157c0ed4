"""Put nodes and predicates together, the cheapest first: what is asked first may end the asking."""

from collections.abc import Iterable

from soc.detect.sigma.condition import And, FieldMatch, Node, Or
from soc.detect.sigma.predicate import Contains, EndsWith, Equals, Predicate, StartsWith


def all_of(nodes: Iterable[Node]) -> Node:
    """Return one node that holds if all do."""
    parts = sorted(nodes, key=lambda node: node.cost)
    return parts[0] if len(parts) == 1 else And(tuple(parts), sum(part.cost for part in parts))


def any_of(nodes: Iterable[Node]) -> Node:
    """Return one node that holds if one does."""
    parts = sorted(nodes, key=lambda node: node.cost)
    return parts[0] if len(parts) == 1 else Or(tuple(parts), sum(part.cost for part in parts))


def match_field(selection: str, field: str, predicates: Iterable[Predicate]) -> FieldMatch:
    """Return a node that holds if one of *predicates* accepts a value of *field*."""
    merged = merge(predicates)
    return FieldMatch(selection, field, merged, sum(predicate.cost for predicate in merged))


def merge(predicates: Iterable[Predicate]) -> tuple[Predicate, ...]:
    """Return *predicates*, any of which will do, with those of one kind made one."""
    sets: dict[bool, frozenset[str]] = {}
    lists: dict[tuple[type[StartsWith | EndsWith | Contains], bool], tuple[str, ...]] = {}
    others: list[Predicate] = []
    for predicate in predicates:
        match predicate:
            case Equals(needles, cased):
                sets[cased] = sets.get(cased, frozenset()) | needles
            case StartsWith(some, cased) | EndsWith(some, cased) | Contains(some, cased):
                key = (type(predicate), cased)
                lists[key] = lists.get(key, ()) + some
            case _:
                others.append(predicate)
    merged: list[Predicate] = [Equals(needles, cased) for cased, needles in sets.items()]
    merged += [kind(needles, cased) for (kind, cased), needles in lists.items()]
    return tuple(sorted([*merged, *others], key=lambda predicate: predicate.cost))
