"""End what the same run put in force."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from soc.respond.action import Action, Repeat, Risk, World


class Lift(Action):
    """End the effects of an earlier step of the same run.

    It takes back only what its own run did, so it needs nobody's word.
    """

    name = "effects.lift"
    risk = Risk.NOTIFY
    repeat = Repeat.LOCAL
    example = '{"step": "slow_down"}'

    step: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="id of the step to take back")
    ]

    def run(self, world: World) -> Mapping[str, object]:
        """End them; what ended already stays so."""
        return {"lifted": world.lift_step(self.step)}
