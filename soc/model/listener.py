"""Where the suite listens: an address, the certificates it shows, and what it serves there."""

from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from soc.model.value import Value

LOCALHOST = "localhost"


class Area(StrEnum):
    """What can be served at an address.

    ingest: events by ``_bulk``, OTLP and webhooks, and what shippers ask before. authz: what edges
    and proxies ask. api: ``/api``. console: the pages of people who log in. public: pages that need
    no log-in.
    """

    INGEST = "ingest"
    AUTHZ = "authz"
    API = "api"
    CONSOLE = "console"
    PUBLIC = "public"


class Address(NamedTuple):
    """A host and a port of it; port 0 takes a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine reaches it."""
        return self.host == LOCALHOST or ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(bind: str) -> Address:
    """Return the address that *bind* writes, as ``127.0.0.1:8780``; raises ValueError."""
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    try:
        if host != LOCALHOST:
            ip_address(host)
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError:
        number = -1
    highest = 65_535
    if not colon or not 0 <= number <= highest:
        raise ValueError("write an address and a port, such as 127.0.0.1:8780 or [::1]:8780")
    return Address(host, number)


Bind = Annotated[str, AfterValidator(lambda bind: str(address_of(bind)))]
"""An IP address, or ``localhost``, and a port."""


class Tls(Value):
    """PEM files, below the home unless absolute.

    cert: the certificate and what it was signed by. key: its key, without a passphrase. client_ca:
    then clients must show a certificate that one of these signed.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None


class Listener(Value):
    """One address of the front door."""

    bind: Bind
    tls: Tls | None = None
    serve: Annotated[tuple[Area, ...], Field(min_length=1)] = tuple(Area)

    @property
    def address(self) -> Address:
        """Return where it listens."""
        return address_of(self.bind)


def unsafe(address: Address, *, has_tls: bool, has_proxy: bool) -> str:
    """Return why nothing must be served in the clear at *address*, or nothing."""
    if has_tls or has_proxy or address.is_loopback:
        return ""
    return (
        f"{address}: without TLS only loopback is served: write tls, "
        "or name the proxy before it in web.trusted_proxy"
    )
