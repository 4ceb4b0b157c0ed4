"""Read selections: a map is all of its fields, a list any of its elements."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from sigma.conditions import ConditionAND
from sigma.exceptions import SigmaDetectionError, SigmaPlaceholderError, SigmaRuleLocation
from sigma.types import (
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaString,
    SigmaType,
)

from soc.detect.sigma.combine import all_of, any_of, match_field, merge
from soc.detect.sigma.condition import (
    FieldExists,
    FieldIsNull,
    FieldReference,
    Keyword,
    Node,
    Not,
)
from soc.detect.sigma.modifiers import CasedReference, read_item
from soc.detect.sigma.placeholders import Placeholders, filled
from soc.detect.sigma.predicate import Predicate
from soc.detect.sigma.source import Place
from soc.detect.sigma.values import predicate_of

LIST_NAME = re.compile(r"%(\w+)%")
AboutField = SigmaNull | SigmaExists | SigmaFieldReference
"""What is asked of a field as a whole, not of its values."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the selections of one rule.

    locate: where the thing under some keys stands. names: what events may call a field.
    placeholders: what stands for their names.
    """

    locate: Callable[..., SigmaRuleLocation]
    names: Callable[[str], tuple[str, ...]]
    placeholders: Placeholders = field(default_factory=dict)

    def selection(self, name: str, definition: object, place: Place) -> Node:
        """Return the selection *name*, which stands at *place*."""
        at = self.locate(*place)
        if definition in ({}, []):
            raise SigmaDetectionError("the selection is empty", source=at)
        if isinstance(definition, Mapping):
            items = definition.items()
            return all_of(self._item(name, k, v, self.locate(*place, k)) for k, v in items)
        if not isinstance(definition, list) or _is_plain(definition):
            return self._item(name, None, definition, at)
        return any_of(
            self.selection(name, part, (*place, index)) for index, part in enumerate(definition)
        )

    def _item(self, selection: str, key: object, value: object, at: SigmaRuleLocation) -> Node:
        """Return what one line of a selection asks for."""
        if key is not None and not isinstance(key, str):
            raise SigmaDetectionError(f"the field {key!r} is not text: quote it", source=at)
        given = value if isinstance(value, list) else [value]
        if key is not None and {"expand", "cidr"}.issubset(key.split("|")):
            given = [network for one in given for network in self._networks(one, at)]
            key = "|".join(part for part in key.split("|") if part != "expand")
            if not given:
                return any_of([])
        item = read_item(key, given, at)
        values = self._filled(item.value) or [SigmaNull()]
        groups = [[one] for one in values] if item.value_linking is ConditionAND else [values]
        if item.field is None:
            node = all_of(_keywords(selection, group, at) for group in groups)
        else:
            names = self.names(item.field)
            node = all_of(_named(selection, names, group, at) for group in groups)
        return Not(node) if item.negated else node

    def _networks(self, value: object, at: SigmaRuleLocation) -> list[str]:
        """Return the addresses and networks that *value*, a placeholder, stands for."""
        name = LIST_NAME.fullmatch(value) if isinstance(value, str) else None
        if name is None or name[1] not in self.placeholders:
            reason = f"nothing says what the placeholder {value} stands for"
            raise SigmaPlaceholderError(reason, source=at)
        return [one for one in self.placeholders[name[1]] if _is_network(one)]

    def _filled(self, values: Iterable[SigmaType]) -> list[SigmaType]:
        """Return *values* with what stands for their placeholders, any of which will do."""
        done: list[SigmaType] = []
        for value in values:
            if isinstance(value, SigmaString) and value.contains_placeholder():
                texts: list[Any] = filled(value, self.placeholders)
                done.append(texts[0] if len(texts) == 1 else SigmaExpansion(texts))
            else:
                done.append(value)
        return done


def _named(
    selection: str, names: Sequence[str], values: Sequence[SigmaType], at: SigmaRuleLocation
) -> Node:
    """Return what is asked of a field that may have several *names*: one of them is enough.

    That it is not there, or null, must be so under each of them.
    """
    if len(names) == 1:
        return _field(selection, names[0], values, at)
    missing = [value for value in _expanded(values) if _is_missing(value)]
    others = [value for value in _expanded(values) if not _is_missing(value)]
    nodes = [all_of(_field(selection, name, [value], at) for name in names) for value in missing]
    if others:
        nodes += [_field(selection, name, others, at) for name in names]
    return any_of(nodes)


def _is_missing(value: SigmaType) -> bool:
    return isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists)


def _field(selection: str, field: str, values: Sequence[SigmaType], at: SigmaRuleLocation) -> Node:
    nodes: list[Node] = []
    predicates: list[Predicate] = []
    for value in _expanded(values):
        if isinstance(value, AboutField):
            nodes.append(_about(selection, field, value))
        else:
            predicates.append(predicate_of(value, at, anywhere=False))
    return any_of([*nodes, match_field(selection, field, predicates)] if predicates else nodes)


def _about(selection: str, field: str, value: AboutField) -> Node:
    match value:
        case SigmaExists():
            return FieldExists(selection, field, expected=value.exists)
        case SigmaFieldReference():
            starts, ends = value.starts_with, value.ends_with
            cased = isinstance(value, CasedReference)
            return FieldReference(selection, field, value.field, starts, ends, cased)
    return FieldIsNull(selection, field)


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _keywords(selection: str, values: Sequence[SigmaType], at: SigmaRuleLocation) -> Node:
    expanded = _expanded(values)
    if any(isinstance(value, AboutField) for value in expanded):
        raise SigmaDetectionError("null, exists and fieldref need a field", source=at)
    return Keyword(selection, merge(predicate_of(value, at, anywhere=True) for value in expanded))


def _is_plain(values: Iterable[object]) -> bool:
    return not any(isinstance(value, Mapping | list) for value in values)


def _expanded(values: Iterable[SigmaType]) -> list[SigmaType]:
    """Return *values*, each that a modifier made several of as these: any of them will do."""
    flat: list[SigmaType] = []
    for value in values:
        flat += _expanded(value.values) if isinstance(value, SigmaExpansion) else [value]
    return flat
