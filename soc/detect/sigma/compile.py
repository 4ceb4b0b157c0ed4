"""Make the tree that is evaluated from the ``detection`` of a rule.

Mistakes are pySigma's errors, each with the place in the file.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionItem,
    ConditionNOT,
    ConditionSelector,
    SigmaCondition,
)
from sigma.exceptions import SigmaConditionError, SigmaDetectionError, SigmaRuleLocation
from sigma.rule.detection import EmptySigmaDetections

from soc.detect.sigma.combine import all_of, any_of
from soc.detect.sigma.condition import Node, Not
from soc.detect.sigma.selection import Reader

NOT_NOT = re.compile(r"(?<![\w*-])(?=not[\w*-])")
"""Before a name that begins with ``not``: pySigma would negate what follows in it."""
MARK = "0-"


def compile_detection(
    detection: Mapping[str, Any], reader: Reader, under: str = "detection"
) -> Node:
    """Return the condition of *detection*, written *under* that key, with selections in place."""
    at = reader.locate(under, "condition")
    if "condition" not in detection:
        raise SigmaConditionError(f"a {under} needs a condition", source=at)
    selections = {
        name: reader.selection(name, definition, (under, name))
        for name, definition in detection.items()
        if name != "condition"
    }
    if not selections:
        raise SigmaDetectionError(f"a {under} needs selections", source=at)
    written = detection["condition"]
    conditions = written if isinstance(written, list) else [written]
    if not conditions or not all(isinstance(text, str) for text in conditions):
        raise SigmaConditionError("a condition is text, or a list of texts", source=at)
    return any_of(_resolve(parse(text, at), selections, at) for text in conditions)


def parse(text: str, at: SigmaRuleLocation) -> ConditionItem:
    """Return the condition *text* as a tree of names; raise pySigma's errors."""
    safe = NOT_NOT.sub(MARK, text)
    try:
        parsed = SigmaCondition(safe, EmptySigmaDetections(), at).parse(postprocess=False)
    except SigmaConditionError as error:
        error.source = error.source or at
        raise
    except RecursionError as deep:
        raise SigmaConditionError("the condition is nested too deeply", source=at) from deep
    if not isinstance(parsed, ConditionItem):
        raise SigmaConditionError("the condition names no selection", source=at)
    _unmark(parsed)
    return parsed


def _unmark(item: object) -> None:
    """Give names in the parsed condition *item* back what ``parse`` put MARK in front of."""
    for part in getattr(item, "args", ()):
        _unmark(part)
    for name in ("identifier", "pattern"):
        if hasattr(item, name):
            setattr(item, name, getattr(item, name).removeprefix(MARK))


def _resolve(item: object, selections: Mapping[str, Node], at: SigmaRuleLocation) -> Node:
    """Return the parsed condition with selections in the places of their names."""
    if isinstance(item, ConditionIdentifier):
        if item.identifier not in selections:
            reason = f"the condition names {item.identifier!r}, which is no selection here"
            raise SigmaConditionError(reason, source=at)
        return selections[item.identifier]
    if isinstance(item, ConditionSelector):
        link = all_of if item.cond_class is ConditionAND else any_of
        return link(selections[name] for name in selected(item.pattern, selections, at))
    if not isinstance(item, ConditionItem):
        raise SigmaConditionError("the condition cannot be read", source=at)
    parts = [_resolve(part, selections, at) for part in item.args]
    if isinstance(item, ConditionNOT):
        return Not(parts[0])
    return all_of(parts) if isinstance(item, ConditionAND) else any_of(parts)


def selected(pattern: str, selections: Iterable[str], at: SigmaRuleLocation) -> list[str]:
    """Return the selections that *pattern* names; those with ``_`` in front only if it has it."""
    wanted = "*" if pattern == "them" else pattern
    names = [
        name
        for name in selections
        if _is_like(name, wanted) and (wanted.startswith("_") or not name.startswith("_"))
    ]
    if not names:
        raise SigmaConditionError(f"no selection is named like {pattern!r}", source=at)
    return names


def _is_like(name: str, pattern: str) -> bool:
    """Return whether *name* is *pattern*, whose ``*`` stand for any text."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    if not name.startswith(first) or len(name) < len(first) + len(last):
        return False
    inner = name[len(first) : len(name) - len(last)]
    for part in middle:
        _, found, inner = inner.partition(part) if part else ("", "*", inner)
        if not found:
            return False
    return name.endswith(last)
