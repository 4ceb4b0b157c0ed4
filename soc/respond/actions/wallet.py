"""Hold wallets back at the edge."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from soc.model.value import Entity, EntityKind
from soc.respond.action import Action, Hold, Repeat, Risk, World


class _AtTheEdge(Action):
    """Its effect is a row of the ledger, kept in the transaction of its step."""

    risk = Risk.CONTAIN
    repeat = Repeat.LOCAL
    undoes = True

    wallet: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{1,128}$", description="its address")]
    reason: Annotated[str, Field(description="why, for the donor and for support")] = ""

    def plan(self) -> Hold:
        """Return what would be in force."""
        raise NotImplementedError

    def run(self, world: World) -> Mapping[str, object]:
        """Put the limit in force."""
        hold = self.plan()
        world.enforce(hold)
        return {"subject": hold.subject, "effect": world.key}

    def undo(self, world: World) -> None:
        """End the limit."""
        world.lift()

    @property
    def _subject(self) -> str:
        return str(Entity(kind=EntityKind.WALLET, value=self.wallet))


class RateLimit(_AtTheEdge):
    """Serve a wallet only so often; answer 429 to the rest."""

    name = "wallet.rate_limit"
    example = '{"wallet": "0xab", "rate": 6, "burst": 3}'

    rate: Annotated[int, Field(gt=0, description="requests a minute")]
    burst: Annotated[int, Field(gt=0, description="requests at once")]

    def plan(self) -> Hold:
        """Return the limit that would be in force."""
        return Hold(subject=self._subject, kind="rate_limit", rate=self.rate, burst=self.burst)


class Quarantine(_AtTheEdge):
    """Do not serve a wallet; answer 403."""

    name = "wallet.quarantine"
    example = '{"wallet": "0xab"}'

    def plan(self) -> Hold:
        """Return the quarantine that would be in force."""
        return Hold(subject=self._subject, kind="quarantine")
