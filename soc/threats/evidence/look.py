"""What every kind of evidence is: it looks at an installation as of one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from soc.model.value import Utc, Value
from soc.respond.playbook import Playbook
from soc.retain.policy import Policy
from soc.threats.model import Evidence
from soc.threats.scale import Proof


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule that is loaded. mode: of its folder. digest: empty where its detector tells none."""

    detector: str
    mode: str = "active"
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """An installation as of *now*; nothing that was stored later is looked at.

    alive: the last sign of life before now. Files have no history, so what they say is taken as
    seen then: a suite that has stopped vouches for its settings ever less. newest: event times.
    unkept: why there is no usable policy of retention.
    """

    session: Session
    now: datetime
    alive: datetime | None = None
    rules: Mapping[str, LoadedRule] = field(default_factory=dict)
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    settings: Mapping[str, str | int | None] = field(default_factory=dict)
    newest: Mapping[str, datetime] = field(default_factory=dict)
    policy: Policy | None = None
    unkept: str = ""


class Observation(Value):
    """What was seen, when, and in words; a failure is seen too, and None means nothing was.

    digest: of what was looked at. proof: less than its kind proves, where what was seen is less.
    Words name rules, playbooks and numbers, never people, wallets or addresses.
    """

    value: str | int
    at: Utc
    digest: str
    words: str
    failing: bool = False
    proof: Proof | None = None


class Resolver(Protocol):
    """Looks for one kind of evidence. Plug-ins are classes that are made without arguments.

    kind: its name. about: what ``ref`` names (rule, playbook, setting), or nothing. proof: what it
    can prove at most.
    """

    @property
    def kind(self) -> str:
        """The name that models use."""

    @property
    def about(self) -> str:
        """What ``ref`` names, or an empty text."""

    @property
    def proof(self) -> Proof:
        """What it can prove at most."""

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return what there is to see, or None if there is nothing."""
