"""Playbooks as people write them."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from soc.content.digest import digest_of
from soc.content.document import did_you_mean
from soc.content.kinds import Described, Duration, load
from soc.model.value import Severity, Slug, Value
from soc.respond.expression import problems

StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class OnFailure(StrEnum):
    """What follows when a step fails.

    stop: the run fails. continue: the next step. undo: take back what the step did, then fail.
    """

    STOP = "stop"
    CONTINUE = "continue"
    UNDO = "undo"


class Retry(Value):
    """How often a failing step is tried again; the delay grows by the factor each time."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    delay: Duration = timedelta(seconds=1)
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0


class Ask(Value):
    """A question to people; one who rejects ends it. expires: then nobody agreed."""

    ask: str
    approvers: Annotated[tuple[str, ...], Field(min_length=1)]
    need: Annotated[int, Field(ge=1, le=10)] = 1
    expires: Duration = timedelta(hours=4)


class Step(Value):
    """One thing to do, or one question."""

    id: StepId
    title: str = ""
    when: str | None = None
    use: str | None = None
    parameters: Annotated[Mapping[str, Any], Field(alias="with")] = {}
    for_each: str | None = None
    max_items: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    ttl: Duration | None = None
    retry: Retry = Retry(attempts=1)
    on_failure: OnFailure = OnFailure.STOP
    approval: Ask | None = None

    @field_validator("use")
    @classmethod
    def _must_be_installed(cls, use: str | None, info: ValidationInfo) -> str | None:
        if use is not None and use not in (actions := info.context or {}):
            raise ValueError(f"no action {use!r}: {did_you_mean(use, actions)}")
        return use

    @field_validator("parameters", "when", "for_each", "approval")
    @classmethod
    def _must_compile(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the field holds
        wrong = list(problems(given.model_dump() if isinstance(given, Ask) else given))
        if wrong:
            raise ValueError("; ".join(wrong))
        return given

    @model_validator(mode="after")
    def _must_be_one_kind(self, info: ValidationInfo) -> Self:
        if (self.use is None) == (self.approval is None):
            raise ValueError("a step has either use or approval")
        action = (info.context or {}).get(self.use)
        if self.ttl and action and not action.undoes:
            raise ValueError(f"ttl: {self.use} cannot be undone, so it has no end")
        if action and action.undoes and not self.ttl:
            raise ValueError(f"ttl is missing: say when {self.use} ends, such as 24h")
        known = set(action.model_fields) if action else set()
        if action and (unknown := sorted(set(self.parameters) - known)):
            raise ValueError(f"with: unknown key {unknown[0]!r}: {did_you_mean(unknown[0], known)}")
        return self


class OnIncident(Value):
    """Which incidents start it: those with an alert of one of these rules."""

    rules: Annotated[tuple[Slug, ...], Field(min_length=1)]
    severity: tuple[Severity, ...] = ()
    when: str | None = None


class Trigger(Value):
    """What starts it."""

    incident: OnIncident


class Playbook(Described):
    """What to do about an incident, in order."""

    layout: Annotated[Literal["commonwatch.playbook/1"], Field(alias="schema")]
    name: Annotated[Slug, Field(alias="playbook")]
    version: Annotated[int, Field(ge=1)]
    on: Trigger
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_must_differ(self) -> Self:
        ids = [step.id for step in self.steps]
        if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"step id {twice[0]!r} is here twice")
        return self

    @property
    def digest(self) -> str:
        """Return what a run pins: comments and layout of the file do not matter."""
        return digest_of(self.plain())

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values, as it is written."""
        return self.model_dump(mode="json", by_alias=True)

    def containing(self, actions: Mapping[str, Any]) -> Iterator[Step]:
        """Yield the steps that hold somebody back."""
        return (step for step in self.steps if step.use and actions[step.use].undoes)


def read(path: Path, actions: Mapping[str, Any]) -> Playbook:
    """Return the playbook in *path*; raises ContentError with all its mistakes."""
    return load(path, Playbook, actions)
