"""Events of the Windows event log as JSON: when they happened, and a flat copy of nested ones.

Of those with the elements of the event log a flat copy is kept, so that rules find their fields:
the names in System, EventData and UserData as they are, attributes as ``Provider_Name``. Where two
elements have one name, as the Channel of System and of UserData, the field is a list of both.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from soc.errors import Refused
from soc.ingest import fields

TIMES = ("@timestamp", "TimeCreated", "SystemTime", "UtcTime", "EventTime")
ATTRIBUTES, TEXT = "#attributes", "#text"


def time_of(document: Mapping[str, Any]) -> datetime:
    """Return when it happened, by the first field that is a time; without a zone it is UTC."""
    for name in TIMES:
        if document.get(name) not in (None, "", "-"):
            try:
                return fields.moment(document[name], name)
            except Refused:
                continue
    raise Refused(f"no time: send one of {', '.join(TIMES)}, RFC 3339")


def is_nested(document: Mapping[str, Any]) -> bool:
    """Return whether *document* has the elements of the event log."""
    event = document.get("Event", document)
    return type(event) is dict and type(event.get("System")) is dict


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an event of the event log, without their elements."""
    event = document.get("Event", document)
    flat: dict[str, Any] = {}
    for name, value in _leaves(event.get("System")):
        _add(flat, name, value)
        if name == "TimeCreated_SystemTime":
            _add(flat, "SystemTime", value)
    for section in ("EventData", "UserData", "ProcessingErrorData", "RenderingInfo"):
        inner = event.get(section)
        for name, value in _leaves(inner if isinstance(inner, Mapping) else {section: inner}):
            _add(flat, name, value)
    for name in [name for name in flat if " " in name]:
        flat.setdefault(name.replace(" ", ""), flat[name])
    return flat


def _leaves(element: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name and value of everything in *element*; the outer names are left out."""
    if not isinstance(element, Mapping):
        if element is not None or name not in _EMPTY:
            yield name, element
        return
    for key, value in element.items():
        if key == ATTRIBUTES and isinstance(value, Mapping):
            attributes = {inner: text for inner, text in value.items() if inner != "xmlns"}
            yield from (
                (f"{name}_{inner}" if name else inner, text) for inner, text in attributes.items()
            )
        else:
            yield from _leaves(value, name if key == TEXT else key)


_EMPTY = frozenset(
    {"Correlation", "Security", "EventData", "UserData", "ProcessingErrorData", "RenderingInfo"}
)
"""Elements without text of their own: where they are empty they are no fields."""


def _add(flat: dict[str, Any], name: str, value: object) -> None:
    if name not in flat or flat[name] == value:
        flat[name] = value
    else:
        known, new = flat[name], value
        flat[name] = [
            *(known if isinstance(known, list) else [known]),
            *(new if isinstance(new, list) else [new]),
        ]
