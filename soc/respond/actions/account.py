"""Hold accounts of the platform back."""

from typing import Annotated

from pydantic import Field

from soc.respond.actions.holding import Holding, Limiting, Shutting


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


class RateLimit(_Held, Limiting):
    """Serve an account only so often; answer 429 to the rest."""

    name = "account.rate_limit"
    example = '{"account": "ines", "rate": 30, "burst": 10}'


class Suspend(_Held, Shutting):
    """Do not serve an account; answer 403."""

    name = "account.suspend"
    example = '{"account": "ines"}'
