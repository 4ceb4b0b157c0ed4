"""What all actions share whose effect is a row of the ledger."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from soc.respond.action import Action, Hold, Repeat, Risk, World

Rate = Annotated[int, Field(gt=0, le=1_000_000, description="requests a minute")]
Burst = Annotated[int, Field(gt=0, le=1_000_000, description="requests at once")]


class Holding(Action):
    """Its effect is a row of the ledger, kept in the transaction of its step."""

    risk = Risk.CONTAIN
    repeat = Repeat.LOCAL
    undoes = True

    reason: Annotated[str, Field(description="why, for the donor and for support")] = ""

    @property
    @abstractmethod
    def _subject(self) -> str:
        """Whom it is about, as edges know it."""

    @abstractmethod
    def plan(self) -> Hold:
        """Return what would be in force."""

    def run(self, world: World) -> Mapping[str, object]:
        """Put it in force."""
        hold = self.plan()
        world.enforce(hold)
        return {"subject": hold.subject, "effect": world.key}

    def undo(self, world: World) -> None:
        """End it."""
        world.lift()


class Limiting(Holding):
    """Serves somebody only so often."""

    rate: Rate
    burst: Burst

    def plan(self) -> Hold:
        """Return the limit that would be in force."""
        return Hold(subject=self._subject, kind="rate_limit", rate=self.rate, burst=self.burst)


class Shutting(Holding):
    """Does not serve somebody at all."""

    def plan(self) -> Hold:
        """Return the quarantine that would be in force."""
        return Hold(subject=self._subject, kind="quarantine")
