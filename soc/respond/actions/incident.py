"""Change the incident that a run answers."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from soc.model.value import Severity
from soc.respond.action import Action, Repeat, Risk, World


class Update(Action):
    """Raise or lower the severity of the incident, or give it to somebody."""

    name = "incident.update"
    risk = Risk.NOTIFY
    repeat = Repeat.LOCAL
    example = '{"severity": "critical", "owner": "ines"}'

    severity: Annotated[Severity | None, Field(description="how bad it is if it is true")] = None
    owner: Annotated[
        str | None, Field(min_length=1, max_length=128, description="who works it")
    ] = None

    @model_validator(mode="after")
    def _must_change_something(self) -> Self:
        if self.severity is None and self.owner is None:
            raise ValueError("write severity, owner or both")
        return self

    def run(self, world: World) -> Mapping[str, object]:
        """Change it; a second time changes nothing."""
        world.update(severity=self.severity, owner=self.owner)
        return {"severity": self.severity and self.severity.value, "owner": self.owner}
