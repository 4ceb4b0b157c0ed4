"""What every action is: typed parameters that can plan, run and undo."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol, Self

from soc.model.value import Severity, Value


class Risk(StrEnum):
    """What an action can do to the world. Guards look at this, never at names.

    read: look. notify: reach people. contain: hold somebody back, until it is undone.
    destroy: what cannot be undone.
    """

    READ = "read"
    NOTIFY = "notify"
    CONTAIN = "contain"
    DESTROY = "destroy"


class Repeat(StrEnum):
    """What to do when a crash leaves open whether an action happened.

    local: nothing, it committed with its step or not at all. safe: do it again. key: do it again
    under the same key. check: look first. never: ask a person.
    """

    LOCAL = "local"
    SAFE = "safe"
    KEY = "key"
    CHECK = "check"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What an action would put in force.

    rate: requests a minute. burst: requests at once. seconds: for how long, once it is known.
    details: JSON of what else its kind needs, such as a weight.
    """

    subject: str
    kind: str
    rate: int = 0
    burst: int = 0
    seconds: int = 0
    details: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered over HTTP. headers: by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """A way to ask the outside over HTTP."""

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        seconds: float = 10.0,
        most: int = 1_000_000,
    ) -> Answer:
        """Return the answer, of at most so many bytes, after at most so many seconds.

        Raises PermissionError for what must not be reached, and OSError for what does not work.
        """


class World(Protocol):
    """All that an action can reach. key: the same step of the same run always has the same."""

    @property
    def key(self) -> str:
        """Return the idempotency key of this step."""

    @property
    def until(self) -> datetime | None:
        """Return when the effect of this step ends."""

    @property
    def http(self) -> Http:
        """Return the way to the outside."""

    def search(self, query: str, since: timedelta, limit: int) -> list[Mapping[str, object]]:
        """Return stored events, newest first; raises QueryError for a query that is none."""

    def snapshot(self) -> Mapping[str, object]:
        """Keep what the incident rests on; return its digest."""

    def enforce(self, hold: Hold) -> None:
        """Put *hold* in force until the end of this step's effect."""

    def lift(self) -> None:
        """End the effect of this step; do nothing if it ended already."""

    def lift_step(self, step: str) -> int:
        """End the effects of an earlier step of the same run; return how many."""

    def label(self, subject: str, label: str) -> None:
        """Put *label* on *subject*, once."""

    def update(self, *, severity: Severity | None, owner: str | None) -> None:
        """Change the incident; None leaves what is there."""

    def note(self, text: str) -> None:
        """Write *text* on the incident, once."""

    def notify(self, to: tuple[str, ...], title: str, text: str) -> None:
        """Send a message to people or channels; raises OSError if it cannot be handed over."""


class Leaving(StrEnum):
    """What an action lets the outside know.

    nothing: it stays inside. tells: it brings a message to our own people. asks: it looks others'
    data up. acts: it makes something happen elsewhere.
    """

    NOTHING = "nothing"
    TELLS = "tells"
    ASKS = "asks"
    ACTS = "acts"


class Action(Value):
    """One thing a playbook may do. The fields of a subclass are what stands under ``with``.

    An action never asks whether it may: dry run, budgets and approvals are settled before it.
    """

    name: ClassVar[str]
    risk: ClassVar[Risk]
    repeat: ClassVar[Repeat]
    undoes: ClassVar[bool] = False
    leaves: ClassVar[Leaving] = Leaving.NOTHING
    looks_inside: ClassVar[bool] = False
    """It reads the suite's own events and nothing else: a dry run does so too."""
    example: ClassVar[str]

    def plan(self) -> Hold | None:
        """Return what it would put in force, and touch nothing."""
        return None

    @abstractmethod
    def run(self, world: World) -> Mapping[str, object]:
        """Do it, and return what later steps may read."""

    def outcome(self) -> Mapping[str, object]:
        """Return what ``run`` would return, as far as that can be told; touch nothing."""
        return {}

    def veiled(self, subject: str) -> Self:
        """Return the same message as one that says no more than that there is *subject*."""
        raise NotImplementedError(f"{self.name} tells nothing of {subject}")

    def probe(self, world: World) -> Mapping[str, object] | None:
        """Look whether it happened already, for ``check``; return its outcome, or None."""
        raise NotImplementedError(f"{self.name} cannot be looked for")

    def undo(self, world: World) -> None:
        """Take it back; a second time changes nothing."""
        raise NotImplementedError(f"{self.name} cannot be undone")
