"""Windows events as JSON: flat as shippers send them, or with the elements of the event log."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

import orjson

from soc.ingest import fields
from soc.ingest.eventlog import flatten, is_nested, time_of
from soc.model.event import Row

USERS = ("TargetUserName", "User", "SubjectUserName", "AccountName")
ADDRESSES = ("IpAddress", "SourceIp", "SourceAddress", "ClientAddress")
HOSTS = ("Computer", "Hostname", "ComputerName")
OUTCOMES = {"AUDIT_SUCCESS": "success", "AUDIT_FAILURE": "failure"}
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
