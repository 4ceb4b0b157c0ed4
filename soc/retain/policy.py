"""Policies of retention as people write them: classes of data, and how long each is kept."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from soc.content.digest import digest_of
from soc.content.kinds import Described, Duration
from soc.model.value import Slug, Value


class Sentence(StrEnum):
    """What the owner of the platform asks for, sentence by sentence; SENTENCES has the words."""

    P01 = "P01"
    P02 = "P02"
    P03 = "P03"
    P04 = "P04"
    P05 = "P05"
    P06 = "P06"
    P07 = "P07"
    P08 = "P08"
    P09 = "P09"
    P10 = "P10"
    P11 = "P11"
    P12 = "P12"
    P13 = "P13"
    P14 = "P14"
    P15 = "P15"


S = Sentence
SENTENCES = MappingProxyType(
    {
        S.P01: "On-chain transactions are permanent.",
        S.P02: "Contract state is permanent.",
        S.P03: "Contract events are permanent.",
        S.P04: "User metadata is retained for audit and compliance.",
        S.P05: "Transaction detail is kept for 2 years.",
        S.P06: "Audit logs (admin access, rate-limit events) are kept for 1 year.",
        S.P07: "Old transactions are archived to cold storage after 1 year.",
        S.P08: "Model scores are kept for 90 days.",
        S.P09: "Every month transactions older than 1 year are exported to Parquet or CSV.",
        S.P10: "The export is compressed and stored under a lifecycle policy.",
        S.P11: "What was exported is deleted from the hot database.",
        S.P12: "An index for retrieval is maintained.",
        S.P13: "User data is deleted only on explicit request.",
        S.P14: "Temporary logs (debug, verbose) are kept for 30 days.",
        S.P15: "Records of failed transactions are kept for 180 days.",
    }
)


class Store(StrEnum):
    """Where data of a class lies.

    events: segments of the event store. cases: alerts, incidents and runs. audit: the audit log.
    users: accounts of the suite. archive: cold storage and its index. proofs: what shows that the
    policy is kept. chain: not ours, nothing there can be deleted.
    """

    EVENTS = "events"
    CASES = "cases"
    AUDIT = "audit"
    USERS = "users"
    ARCHIVE = "archive"
    PROOFS = "proofs"
    CHAIN = "chain"


class Selector(Value):
    """Which events: those for which all that is written here holds.

    datasets: names, or ``chain.*`` for all that begin so. where: further fields, dotted, and the
    values that one may have.
    """

    datasets: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = {}


class DataClass(Value):
    """One kind of data, and its life, measured from the time of the event.

    covers: sentences it carries out. selects: which events, asked in the order of classes; the
    last class that selects takes all others with ``{}``. keep_until: no date but an act.
    """

    id: Slug
    title: str
    store: Store
    covers: tuple[Sentence, ...] = ()
    selects: tuple[Selector, ...] = ()
    keep_at_least: Duration | None = None
    delete_no_later_than: Duration | None = None
    archive_after: Duration | None = None
    external_permanent: bool = False
    keep_until: Literal["erasure_request"] | None = None
    review_every: Duration | None = None
    legal_basis: str = ""
    personal: str
    reason: Annotated[str, Field(min_length=8)]

    @model_validator(mode="after")
    def _must_have_one_end(self) -> Self:
        timed = self.keep_at_least is not None or self.delete_no_later_than is not None
        if timed + self.external_permanent + (self.keep_until is not None) != 1:
            raise ValueError(
                "write one: keep_at_least with delete_no_later_than, external_permanent, keep_until"
            )
        if timed and (self.keep_at_least is None or self.delete_no_later_than is None):
            raise ValueError("POL-02: write both keep_at_least and delete_no_later_than")
        if self.external_permanent != (self.store is Store.CHAIN):
            raise ValueError("external_permanent is for what lies on chain, and only for that")
        if self.selects and self.store is not Store.EVENTS:
            raise ValueError("only classes in the store events select events")
        return self


class Approved(Value):
    """Who agreed to a policy, and when."""

    by: Annotated[tuple[str, ...], Field(min_length=1)]
    on: date


class Policy(Described):
    """How long each class of data is kept. sweep_every, archive_every: how often it is looked."""

    layout: Annotated[Literal["commonwatch.retention/1"], Field(alias="schema")]
    name: Annotated[Slug, Field(alias="policy")]
    version: Annotated[int, Field(ge=1)]
    approved: Approved
    sweep_every: Duration = timedelta(days=1)
    archive_every: Duration = timedelta(days=31)
    classes: Annotated[tuple[DataClass, ...], Field(min_length=1)]

    @property
    def digest(self) -> str:
        """Return the hash of what it says."""
        return digest_of(self.model_dump(mode="json", by_alias=True))

    def covering(self, sentence: Sentence) -> DataClass:
        """Return the class that carries out *sentence*; there is one, or it would not load."""
        return next(one for one in self.classes if sentence in one.covers)

    def of_events(self) -> Iterator[DataClass]:
        """Yield the classes that select events, in the order in which they are asked."""
        return (one for one in self.classes if one.selects)
