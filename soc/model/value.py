"""What every value keeps to, and the words and moments that all stages share."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

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

Utc = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
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


def bucket_of(moment: datetime, width: timedelta) -> datetime:
    """Return the start of the bucket of event time that holds *moment*."""
    return moment - (moment - EPOCH) % width


def rfc3339(moment: datetime) -> str:
    """Return *moment* as RFC 3339 text in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
