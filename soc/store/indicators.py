"""The rows of imported lists, and what they say of an entity. Expired entries say nothing."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlmodel import Field, Session, SQLModel, col, func, or_, select

from soc.store.columns import moment, number, text

Network = IPv4Network | IPv6Network
IP = "ip:"
AT_ONCE = 500
"""Names that one question to the store holds."""


class IndicatorList(SQLModel, table=True):
    """A list that somebody imported. version: counts its changes. digest: of what it holds."""

    __tablename__ = "indicator_list"

    name: str = Field(primary_key=True)
    owner: str
    source: str = text()
    version: int = number(default=1)
    digest: str
    imported: datetime = moment()
    imported_by: str


class Indicator(SQLModel, table=True):
    """One value of a list.

    kind: wallet, ip, domain, account, url or hash. value: as it is compared. subject: the entity
    that it names, where it names one. confidence: 0 to 1. expires: None for never.
    """

    list: str = Field(foreign_key="indicator_list.name", primary_key=True)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    subject: str | None = Field(default=None, index=True)
    is_network: bool = Field(default=False, index=True)
    confidence: float = 1.0
    label: str = text(default="")
    expires: datetime | None = moment(default=None)
    added: datetime = moment()


class Members(NamedTuple):
    """Whom a list names: entities, and networks of addresses."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    def holds(self, entity: str) -> bool:
        """Return whether *entity*, such as ``ip:192.0.2.7``, is among them."""
        return entity in self.names or any(_within(entity, one) for one in self.networks)


def members(session: Session, name: str, now: datetime) -> Members:
    """Return whom the list *name* names now; nobody if there is no such list."""
    query = select(Indicator.subject, Indicator.is_network, Indicator.value).where(
        col(Indicator.list) == name, col(Indicator.subject).is_not(None), counts(now)
    )
    rows = session.exec(query).all()
    networks = tuple(ip_network(value) for _, is_network, value in rows if is_network)
    return Members(frozenset(subject or "" for subject, *_ in rows), networks)


def values(session: Session, now: datetime) -> dict[str, tuple[str, ...]]:
    """Return the values of every list that count now, sorted."""
    found: dict[str, list[str]] = {name: [] for name in session.exec(select(IndicatorList.name))}
    query = select(Indicator.list, Indicator.value).where(counts(now))
    for name, value in session.exec(query.order_by(col(Indicator.value))):
        found[name].append(value)
    return {name: tuple(dict.fromkeys(held)) for name, held in found.items()}


def standing(session: Session, now: datetime) -> list[tuple[str, int, int]]:
    """Return name, version and number of values that count of each list: other if one changed."""
    held = select(Indicator.list, func.count()).where(counts(now)).group_by(col(Indicator.list))
    counted = dict(session.exec(held).all())
    lists = select(IndicatorList.name, IndicatorList.version).order_by(col(IndicatorList.name))
    return [(name, version, counted.get(name, 0)) for name, version in session.exec(lists)]


def labels_of(session: Session, entities: Iterable[str], now: datetime) -> Mapping[str, list[str]]:
    """Return what lists say of *entities*: ``list: label``, sorted; nothing of the others."""
    wanted = sorted(set(entities))
    found: dict[str, set[str]] = {}
    for begin in range(0, len(wanted), AT_ONCE):
        named = col(Indicator.subject).in_(wanted[begin : begin + AT_ONCE])
        for row in session.exec(select(Indicator).where(named, counts(now))):
            found.setdefault(row.subject or "", set()).add(_words(row))
    addresses = [name for name in wanted if name.startswith(IP)]
    networks = select(Indicator).where(col(Indicator.is_network).is_(True), counts(now))
    for row in session.exec(networks) if addresses else ():
        network = ip_network(row.value)
        for name in addresses:
            if _within(name, network):
                found.setdefault(name, set()).add(_words(row))
    return {name: sorted(said) for name, said in sorted(found.items())}


def counts(now: datetime) -> ColumnElement[bool]:
    """Return the condition that an entry has not expired."""
    return or_(col(Indicator.expires).is_(None), col(Indicator.expires) > now)


def _words(row: Indicator) -> str:
    return f"{row.list}: {row.label}" if row.label else row.list


def _within(entity: str, network: Network) -> bool:
    inner = network_of(entity)
    if inner is None or inner.version != network.version:
        return False
    return int(network.network_address) <= int(inner.network_address) and int(
        inner.broadcast_address
    ) <= int(network.broadcast_address)


def network_of(entity: str) -> Network | None:
    """Return the network that *entity*, such as ``ip:192.0.2.0/24``, is; None if it is none."""
    if not entity.startswith(IP):
        return None
    try:
        return ip_network(entity.removeprefix(IP), strict=False)
    except ValueError:
        return None
