"""What every detector is: a batch and old state in, answers and new state out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from soc.model.event import Batch
from soc.model.finding import Finding, NotReady

State = TypeVar("State", bound=BaseModel)


class Mode(StrEnum):
    """What the findings of a rule may do.

    active: open incidents and start playbooks. monitor: be looked at. disabled: nothing.
    """

    ACTIVE = "active"
    MONITOR = "monitor"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that could not be evaluated, and why: neither a hit nor "clean"."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Generic[State]):
    """What a window showed, and what to remember for the next one."""

    answers: tuple[Finding | NotReady, ...]
    state: State
    failures: tuple[Failure, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the hits among the answers."""
        return tuple(answer for answer in self.answers if isinstance(answer, Finding))


class Detector(Protocol[State]):
    """Sees every event once. It asks no clock, file or database, so any window can be replayed."""

    @property
    def name(self) -> str:
        """What its window is called."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The slugs that its findings carry."""

    @property
    def state(self) -> type[State]:
        """What it remembers; made without arguments before the first window."""

    def observe(self, batch: Batch, state: State, now: datetime) -> Observed[State]:
        """Return what *batch* shows at *now* to one who remembers *state*; change neither."""
