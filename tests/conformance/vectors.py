"""Read the vectors of this folder: a rule, events, and which of them it must hit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import yaml

HERE = Path(__file__).parent
BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
SOURCE = {"product": "shop", "service": "audit"}

Hit = tuple[str, int]
"""The name of a rule, and the number of the event with which it is true."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One statement of the specification, and what follows from it.

    says: the statement, in our words. beyond: the specification leaves it open, and this is what
    we decided. rules: as Sigma documents. refused: an engine must not load the last of them.
    """

    id: str
    section: str
    says: str
    beyond: bool
    refused: bool
    rules: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]
    hits: frozenset[Hit]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the rules and the events into *folder*; return where they are."""
        rules, events = folder / "rules.yml", folder / "events.ndjson"
        rules.write_text(yaml.safe_dump_all(self.rules, allow_unicode=True), encoding="utf-8")
        events.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in self.events))
        return rules, events

    def name_of(self, rule_id: str) -> str:
        """Return the name of the rule that has this id."""
        return next(str(rule["name"]) for rule in self.rules if rule["id"] == rule_id)


def vectors() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each vector as it is written, with the name of its file."""
    for path in sorted(HERE.glob("*.yml")):
        for written in yaml.load(path.read_bytes(), yaml.CSafeLoader):
            yield path.stem, written


def read() -> list[Vector]:
    """Return all vectors."""
    return [_vector(stem, written) for stem, written in vectors()]


def _vector(stem: str, written: Mapping[str, Any]) -> Vector:
    name = f"{stem}/{written['id']}"
    rules = list(_rules(written))
    for rule in rules:
        rule["id"] = str(uuid5(NAMESPACE_URL, f"{name}/{rule['name']}"))
    hits = written.get("hits", [])
    by_rule = hits if isinstance(hits, dict) else {"it": hits}
    return Vector(
        id=name,
        section=written["section"],
        says=written["says"],
        beyond=written.get("beyond", False),
        refused=written.get("refused", False),
        rules=tuple(rules),
        events=tuple(map(_event, written["events"])),
        hits=frozenset((rule, line) for rule, lines in by_rule.items() for line in lines),
    )


def _rules(written: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "select" in written:
        yield _rule("it", {"selection": written["select"], "condition": "selection"})
    if "detection" in written:
        yield _rule("it", written["detection"])
    for name, selection in written.get("singles", {}).items():
        yield _rule(name, {"selection": selection, "condition": "selection"})
    correlations = written.get("correlations") or {}
    if "correlation" in written:
        correlations = {"it": written["correlation"]}
    for name, correlation in correlations.items():
        yield {"title": name.capitalize(), "name": name, "correlation": correlation}


def _rule(name: str, detection: Mapping[str, Any]) -> dict[str, Any]:
    about = {"title": name.capitalize(), "name": name, "logsource": SOURCE}
    return {**about, "detection": detection}


def _event(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with a time in the place of the seconds after the beginning."""
    event = dict(written)
    if "after" in event:
        moment = BEGIN + timedelta(seconds=event.pop("after"))
        event["@timestamp"] = moment.isoformat().replace("+00:00", "Z")
    return event
