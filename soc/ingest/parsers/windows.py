"""Windows events as JSON: flat as shippers send them, or with the elements of the event log.

Of the latter a flat copy is kept, so that rules find their fields: the names in System, EventData
and UserData as they are, attributes as ``Provider_Name``. Where two elements have one name, as the
Channel of System and of UserData, the field is a list of both.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Any

import orjson

from soc.errors import Refused
from soc.ingest import fields
from soc.model.event import Row

TIMES = ("@timestamp", "TimeCreated", "SystemTime", "UtcTime", "EventTime")
USERS = ("TargetUserName", "User", "SubjectUserName", "AccountName")
ADDRESSES = ("IpAddress", "SourceIp", "SourceAddress", "ClientAddress")
HOSTS = ("Computer", "Hostname", "ComputerName")
OUTCOMES = {"AUDIT_SUCCESS": "success", "AUDIT_FAILURE": "failure"}
ATTRIBUTES, TEXT = "#attributes", "#text"
MAX_DATASET = 128


class Windows:
    """Takes every JSON object that has an EventID and a Channel."""

    name = "windows"
    marks = frozenset({"EventID", "Event", "System"})

    def claims(self, document: Mapping[str, Any]) -> bool:
        """Return whether this is an event of Windows, flat or not."""
        return ("EventID" in document and "Channel" in document) or is_nested(document)

    def parse(self, line: str, document: Mapping[str, Any]) -> Row:
        """Return the core fields of *document*; raises Refused if it has no time."""
        if is_nested(document):
            document = flatten(document)
            line = orjson.dumps(document).decode()
        outcome = OUTCOMES.get(fields.text(document, "EventType") or "")
        return Row(
            ts=time_of(document),
            raw=line,
            parser=self.name,
            dataset=_dataset(fields.text(document, "Channel") or ""),
            action=fields.text(document, "EventID"),
            outcome=outcome,
            user_name=fields.text(document, *USERS),
            src_ip=_address(document),
            host=fields.text(document, *HOSTS),
            event_id=fields.text(document, "event.id"),
            message=fields.text(document, "Message"),
        )


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


def _dataset(channel: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in channel.lower()).split()
    return f"windows.{'-'.join(words)}"[:MAX_DATASET]


def _address(document: Mapping[str, Any]) -> str | None:
    """Return the address it came from, in its shortest spelling; None for what is no address."""
    for name in ADDRESSES:
        try:
            address = ip_address((fields.text(document, name) or "").partition("%")[0])
        except ValueError:
            continue
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(mapped or address)
    return None
