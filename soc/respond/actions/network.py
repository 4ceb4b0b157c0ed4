"""Hold addresses and networks back at the edge."""

from ipaddress import IPv6Network, ip_network
from typing import Annotated

from pydantic import Field, field_validator

from soc.respond.actions.holding import Holding, Limiting, Shutting

WIDEST_IPV4, WIDEST_IPV6 = 16, 32
"""Shorter prefixes hold back whole providers, and the platform with them."""


class _Held(Holding):
    """Its effect is about an address or a network."""

    cidr: Annotated[str, Field(max_length=64, description="an address, or a network as CIDR")]

    @field_validator("cidr")
    @classmethod
    def _must_be_narrow(cls, given: str) -> str:
        try:
            network = ip_network(given, strict=False)
        except ValueError as wrong:
            raise ValueError(f"{given!r} is no address or network: write 192.0.2.0/24") from wrong
        if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
            raise ValueError(f"{given} embeds an IPv4 network: write that itself")
        widest = WIDEST_IPV6 if isinstance(network, IPv6Network) else WIDEST_IPV4
        if network.prefixlen < widest:
            raise ValueError(f"{network} is too wide: /{widest} or narrower may be held back")
        whole = network.prefixlen == network.max_prefixlen
        return str(network.network_address) if whole else str(network)

    @property
    def _subject(self) -> str:
        return f"ip:{self.cidr}"


class Block(_Held, Shutting):
    """Do not serve an address or a network; answer 403."""

    name = "edge.block"
    example = '{"cidr": "192.0.2.0/24"}'


class RateLimit(_Held, Limiting):
    """Serve an address or a network, as one, only so often; answer 429 to the rest."""

    name = "edge.rate_limit"
    example = '{"cidr": "192.0.2.7", "rate": 60, "burst": 20}'
