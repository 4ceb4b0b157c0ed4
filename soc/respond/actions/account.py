"""Hold accounts of the platform back."""

from typing import Annotated

from pydantic import Field

from soc.respond.action import Hold
from soc.respond.actions.holding import Burst, Holding, Rate


class _Held(Holding):
    """Its effect is about an account."""

    account: Annotated[
        str,
        Field(
            pattern=r"^[^\s,\x00-\x1f\x7f]{1,256}$", description="its id, as the platform has it"
        ),
    ]

    @property
    def _subject(self) -> str:
        return f"account:{self.account}"


class RateLimit(_Held):
    """Serve an account only so often; answer 429 to the rest."""

    name = "account.rate_limit"
    example = '{"account": "ines", "rate": 30, "burst": 10}'

    rate: Rate
    burst: Burst

    def plan(self) -> Hold:
        """Return the limit that would be in force."""
        return Hold(subject=self._subject, kind="rate_limit", rate=self.rate, burst=self.burst)


class Suspend(_Held):
    """Do not serve an account; answer 403."""

    name = "account.suspend"
    example = '{"account": "ines"}'

    def plan(self) -> Hold:
        """Return the quarantine that would be in force."""
        return Hold(subject=self._subject, kind="quarantine")
