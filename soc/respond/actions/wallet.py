"""Hold wallets back, or let them through, and say what is known about them."""

from collections.abc import Mapping
from typing import Annotated

import orjson
from pydantic import Field

from soc.model.value import Entity, EntityKind
from soc.respond.action import Action, Hold, Repeat, Risk, World
from soc.respond.actions.holding import Holding, Limiting, Shutting

Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{1,128}$", description="its address")]


class _Held(Holding):
    """Its effect is about a wallet."""

    wallet: Address

    @property
    def _subject(self) -> str:
        return subject_of(self.wallet)


class RateLimit(_Held, Limiting):
    """Serve a wallet only so often; answer 429 to the rest."""

    name = "wallet.rate_limit"
    example = '{"wallet": "0xab", "rate": 6, "burst": 3}'


class Quarantine(_Held, Shutting):
    """Do not serve a wallet; answer 403."""

    name = "wallet.quarantine"
    example = '{"wallet": "0xab"}'


class Allow(_Held):
    """Let a wallet through whatever limits it has; a quarantine still holds."""

    name = "wallet.allow"
    example = '{"wallet": "0xab", "reason": "a payroll that pays many at once"}'

    def plan(self) -> Hold:
        """Return the exemption that would be in force."""
        return Hold(subject=self._subject, kind="allow")


class Weight(_Held):
    """Count a wallet's donations for less, or not at all, in the matching of a round."""

    name = "wallet.weight"
    example = '{"wallet": "0xab", "weight": 0.25, "round": "round-7"}'

    weight: Annotated[
        float, Field(ge=0, le=1, description="0: they count for nothing; 1: as all others")
    ]
    round: Annotated[
        str, Field(max_length=128, description="of this round alone; empty: of all")
    ] = ""

    def plan(self) -> Hold:
        """Return the weight that would be in force."""
        known = {"weight": self.weight, **({"round": self.round} if self.round else {})}
        details = orjson.dumps(known, option=orjson.OPT_SORT_KEYS).decode()
        return Hold(subject=self._subject, kind="weight", details=details)


class Flag(Action):
    """Put a label on a wallet, which every incident that names it shows."""

    name = "wallet.flag"
    risk = Risk.NOTIFY
    repeat = Repeat.LOCAL
    example = '{"wallet": "0xab", "label": "mixer"}'

    wallet: Address
    label: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 _-]{0,62}$", description="a few words")]

    def run(self, world: World) -> Mapping[str, object]:
        """Put the label there; a second time changes nothing."""
        subject = subject_of(self.wallet)
        world.label(subject, self.label)
        return {"subject": subject, "label": self.label}


def subject_of(wallet: str) -> str:
    """Return the one spelling of a wallet as edges know it."""
    return str(Entity(kind=EntityKind.WALLET, value=wallet))
