"""One entry of a list: a value of some kind, spelled one way, so that it is found again."""

import re
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_network
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, model_validator

from soc.model.value import Utc, Value

LONGEST = 2_000
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
WALLET = re.compile(r"(?:eip155:[0-9]{1,20}:)?(0x[0-9a-f]{40})")
DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
URL = re.compile(r"https?://[^\s]+")
HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")


class Kind(StrEnum):
    """What an entry names.

    wallet: an address on chain. ip: an address or a network. domain: a name in the DNS. account: a
    login of the platform. url, hash: of a page, and of a file.
    """

    WALLET = "wallet"
    IP = "ip"
    DOMAIN = "domain"
    ACCOUNT = "account"
    URL = "url"
    HASH = "hash"


FORMS = MappingProxyType(
    {
        Kind.WALLET: (WALLET, "0x and 40 hexadecimal digits, or eip155:1:0x…"),
        Kind.DOMAIN: (DOMAIN, "a domain such as grants.example, in ASCII"),
        Kind.URL: (URL, "a URL that begins with https:// or http://"),
        Kind.HASH: (HASH, "an MD5, SHA-1 or SHA-256 in hexadecimal digits"),
    }
)
"""What values look like, in lower case but URLs, and what to write instead."""


class Entry(Value):
    """What a list says of one value. confidence: from 0 to 1. expires: None for never."""

    kind: Kind
    value: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    label: Annotated[str, Field(max_length=200)] = ""
    expires: Utc | None = None

    @model_validator(mode="before")
    @classmethod
    def _spell_one_way(cls, given: object) -> object:
        if isinstance(given, dict) and isinstance(given.get("value"), str):
            kind = given.get("kind")
            if isinstance(kind, Kind):
                return {**given, "value": spelled(kind, given["value"])}
        return given

    @property
    def is_network(self) -> bool:
        """Return whether it names more than one address."""
        return self.kind is Kind.IP and "/" in self.value

    @property
    def subject(self) -> str | None:
        """Return the entity that it names; None for URLs and files."""
        kinds = {Kind.WALLET: "wallet", Kind.IP: "ip", Kind.ACCOUNT: "account", Kind.DOMAIN: "host"}
        return f"{kinds[self.kind]}:{self.value}" if self.kind in kinds else None

    def counts(self, now: datetime) -> bool:
        """Return whether it has not expired."""
        return self.expires is None or self.expires > now


def spelled(kind: Kind, text: str) -> str:
    """Return *text* as values of *kind* are compared; raises ValueError saying what to write."""
    text = text.strip()
    if not text.isprintable():
        raise ValueError("write plain characters")
    if kind is Kind.ACCOUNT:
        return text
    if kind is Kind.IP:
        return _address(text)
    pattern, hint = FORMS[kind]
    spelling = text if kind is Kind.URL else text.lower().removesuffix(".")
    if not (found := pattern.fullmatch(spelling)):
        raise ValueError(f"write {hint}")
    return found[found.lastindex or 0]


def _address(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        try:
            right = ip_network(text, strict=False)
        except ValueError as wrong:
            raise ValueError("write an address such as 192.0.2.7, or a network") from wrong
        raise ValueError(f"it has bits beyond its prefix: write {right}") from None
    return str(network) if network.num_addresses > 1 else str(network.network_address)
