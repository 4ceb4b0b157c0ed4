"""Reach people: messages, and notes on the incident."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from soc.respond.action import Action, Leaving, Repeat, Risk, World


def cut(longest: int) -> AfterValidator:
    """Shorten what is too long: names of attackers must not keep a message from being sent."""
    return AfterValidator(lambda s: s if len(s) <= longest else s[: longest - 1] + "…")


class Notify(Action):
    """Send a message to roles, persons or channels."""

    name = "notify.send"
    risk = Risk.NOTIFY
    leaves = Leaving.TELLS
    repeat = Repeat.KEY
    example = '{"to": ["role:admin"], "title": "Twelve wallets share a funder"}'

    to: Annotated[tuple[str, ...], Field(min_length=1, description="role:…, user:… or channel:…")]
    title: Annotated[str, cut(200), Field(min_length=1, description="one sentence")]
    text: Annotated[str, cut(4_000), Field(description="what to know before acting")] = ""

    def run(self, world: World) -> Mapping[str, object]:
        """Hand the message over."""
        world.notify(self.to, self.title, self.text)
        return {"to": list(self.to)}

    def veiled(self, subject: str) -> Self:
        """Return the message without what only those who work the incident may know."""
        title = f"{subject} is TLP:RED: read it in the console"
        return self.model_copy(update={"title": title, "text": ""})


class Page(Action):
    """Wake up who is on call."""

    name = "notify.page"
    risk = Risk.NOTIFY
    leaves = Leaving.TELLS
    repeat = Repeat.KEY
    example = '{"to": ["role:admin"], "title": "The treasury is being drained"}'

    to: Annotated[
        tuple[Annotated[str, Field(pattern=r"^role:[a-z0-9][a-z0-9_-]{0,127}$")], ...],
        Field(
            min_length=1, description="role:…; who of it is on call, or all where it has no rota"
        ),
    ]
    title: Annotated[str, cut(200), Field(min_length=1, description="one sentence")]
    text: Annotated[str, cut(4_000), Field(description="what to know before acting")] = ""

    def run(self, world: World) -> Mapping[str, object]:
        """Hand the message over as urgent: no storm of others holds it up."""
        to = tuple(f"oncall:{target.removeprefix('role:')}" for target in self.to)
        world.notify(to, self.title, self.text)
        return {"to": list(self.to)}

    def veiled(self, subject: str) -> Self:
        """Return the message without what only those who work the incident may know."""
        title = f"{subject} is TLP:RED: read it in the console"
        return self.model_copy(update={"title": title, "text": ""})


class Note(Action):
    """Write a note on the incident."""

    name = "incident.note"
    risk = Risk.NOTIFY
    repeat = Repeat.LOCAL
    example = '{"text": "The indexer is behind."}'

    text: Annotated[str, cut(4_000), Field(min_length=1, description="what people will read")]

    def run(self, world: World) -> Mapping[str, object]:
        """Write the note."""
        world.note(self.text)
        return {}
