"""What every value keeps to, and the words and moments that all stages share."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Annotated
from unicodedata import category

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

EPOCH = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)
LONGEST_TEXT = 256
KEPT_OF_LONGER = 180
LONGEST_ADDRESS = 20
LONGEST_SHOWN = 64
MAX_DIGITS = 78
"""The largest amount that a chain can hold, 2 to the power of 256, has as many digits."""
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of characters, and what breaks lines."""


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


Utc = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment in UTC: a time without a zone is refused, one in another zone converted."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,127}$")]
"""What a rule, a playbook or a step is called by, everywhere."""


class Value(BaseModel):
    """What may come from outside: checked when it is made, and fixed from then on."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Severity(StrEnum):
    """How bad it is if it is true, in the words of OCSF.

    informational: nothing to do. low: look when there is time. medium: act, nothing burns.
    high: act now. critical: act now, many are affected.
    """

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def severity_id(self) -> int:
        """Return OCSF's number for it, 1 to 5."""
        return list(Severity).index(self) + 1


def worse(one: str, other: str) -> Severity:
    """Return the higher one of two severities."""
    return max(Severity(one), Severity(other), key=lambda severity: severity.severity_id)


class EntityKind(StrEnum):
    """What can be watched and held back.

    wallet: an address on chain. account: a login of the platform. ip: an address or network.
    host: a machine. source: where events come from. incident: for findings about the suite.
    """

    WALLET = "wallet"
    ACCOUNT = "account"
    IP = "ip"
    HOST = "host"
    SOURCE = "source"
    INCIDENT = "incident"


class Entity(Value):
    """Whom a finding is about and an effect acts on; as text, the subject that edges know."""

    kind: EntityKind
    value: Annotated[str, Field(min_length=1, max_length=512)]

    @field_validator("value")
    @classmethod
    def _spell_one_way(cls, value: str, info: ValidationInfo) -> str:
        # A checksum in capitals names the same wallet.
        return value.lower() if info.data.get("kind") is EntityKind.WALLET else value

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> "Entity":
        """Return the entity that *text* names, as in ``wallet:0xab``."""
        kind, _, value = text.partition(":")
        return cls(kind=EntityKind(kind), value=value)


def entity(kind: EntityKind, value: str | None) -> Entity | None:
    """Return whom *value* names, made fit to be kept; None if it names nobody."""
    named = name_of(kind, value)
    return _entity(kind, named) if named else None


def name_of(kind: EntityKind, value: str | None) -> str | None:
    """Return *value* as an entity is called by it; None if it names nobody."""
    named = bounded(value or "", fold=kind is EntityKind.WALLET)
    return named if named.strip() else None


@lru_cache(maxsize=8192)
def _entity(kind: EntityKind, value: str) -> Entity:
    return Entity(kind=kind, value=value)


def bounded(text: str, *, fold: bool = False) -> str:
    """Return *text* without control characters and at most 256 characters long.

    Of longer text the beginning is kept, with a digest of the whole: no two become the same.
    """
    if not text.isprintable():
        text = "".join(letter for letter in text if category(letter) not in UNPRINTABLE)
    text = text.lower() if fold else text
    if len(text) <= LONGEST_TEXT:
        return text
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[:KEPT_OF_LONGER]}…{digest}"


def short(name: str) -> str:
    """Return *name* as a title shows it: of a long address both ends, of other text the start."""
    if name.startswith("0x") and len(name) > LONGEST_ADDRESS:
        return f"{name[:6]}…{name[-4:]}"
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


def whole(text: str | None) -> int | None:
    """Return the amount that *text* says, or None if it is no whole number a chain can hold."""
    if not text or len(text) > MAX_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def micros(moment: datetime) -> int:
    """Return *moment* in microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(micros: int) -> datetime:
    """Return the moment that is *micros* microseconds after 1970."""
    return EPOCH + micros * MICROSECOND


def bucket_of(moment: datetime, width: timedelta) -> datetime:
    """Return the start of the bucket of event time that holds *moment*."""
    into = (moment - EPOCH) % width
    first = datetime.min.replace(tzinfo=UTC)
    return moment - into if moment - first >= into else first


def rfc3339(moment: datetime) -> str:
    """Return *moment* as RFC 3339 text in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
