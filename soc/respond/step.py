"""Steps of playbooks as people write them: each is of exactly one of six kinds."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from soc.content.document import did_you_mean
from soc.content.kinds import Duration
from soc.model.value import Slug, Value
from soc.respond.expression import problems

StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
KINDS = ("use", "approval", "parallel", "do", "playbook", "wait")
ABOUT_ACTIONS = ("for_each", "ttl", "undo", "no_undo", "key")


class OnFailure(StrEnum):
    """What follows when a step fails.

    stop: the run fails. continue: the next step. undo: take back what the step did, last first,
    then fail. Steps may stand here too: if they end well, the run goes on.
    """

    STOP = "stop"
    CONTINUE = "continue"
    UNDO = "undo"


class Failure(StrEnum):
    """Why an action failed, in the words that ``retry.on`` knows.

    timeout: it took too long. unavailable: the other side cannot be reached. rate_limited: asked
    too often. denied: not allowed to. invalid: refused for what was sent. error: anything else.
    """

    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    DENIED = "denied"
    INVALID = "invalid"
    ERROR = "error"


class Retry(Value):
    """How often a failing step is tried again; the delay grows by the factor, up to max.

    on: the failures worth another try; by default all but denied and invalid ones.
    """

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    delay: Duration = timedelta(seconds=1)
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    max: Duration = timedelta(hours=1)
    on: tuple[Failure, ...] = tuple(
        one for one in Failure if one not in {Failure.DENIED, Failure.INVALID}
    )

    def pause(self, attempts: int) -> timedelta:
        """Return how long to wait after so many failures."""
        return min(self.delay * self.factor ** (attempts - 1), self.max)


class Ask(Value):
    """A question to people; one who rejects ends it.

    need: how many must agree. expires: how long it waits. on_timeout: nobody agreed (reject), the
    step fails (fail), or others are asked for as long again (escalate). four_eyes: who asked for
    the run, who is named in the incident and who wrote the playbook do not vote.
    """

    ask: str
    approvers: Annotated[tuple[str, ...], Field(min_length=1)]
    need: Annotated[int, Field(ge=1, le=10)] = 1
    four_eyes: bool = True
    expires: Duration = timedelta(hours=4)
    on_timeout: Literal["reject", "fail", "escalate"] = "reject"
    escalate_to: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _must_know_whom_to_ask_next(self) -> Self:
        if (self.on_timeout == "escalate") != bool(self.escalate_to):
            raise ValueError("on_timeout: escalate needs escalate_to, and nothing else does")
        return self


class Undo(Value):
    """The action that takes a step back, where the action of the step cannot."""

    use: str
    parameters: Annotated[Mapping[str, Any], Field(alias="with")] = {}


class Step(Value):
    """One thing to do.

    use: an action. approval: a question. parallel: branches, all of which end before the step
    does. do: steps with one ``when`` and one ``on_failure``. playbook: a run of another playbook.
    wait: a span; ``until`` ends it early. timeout: how long one try may take.
    """

    id: StepId
    title: str = ""
    when: str | None = None
    timeout: Duration | None = None
    use: str | None = None
    parameters: Annotated[Mapping[str, Any], Field(alias="with")] = {}
    for_each: str | None = None
    max_items: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    ttl: Duration | None = None
    undo: Undo | None = None
    no_undo: str | None = None
    key: str | None = None
    retry: Retry = Retry(attempts=1)
    approval: Ask | None = None
    parallel: Annotated[
        tuple[Annotated[tuple["Step", ...], Field(min_length=1)], ...] | None, Field(min_length=2)
    ] = None
    do: Annotated[tuple["Step", ...] | None, Field(min_length=1)] = None
    playbook: Slug | None = None
    wait: Duration | None = None
    until: str | None = None
    on_failure: OnFailure | tuple["Step", ...] = OnFailure.STOP

    @field_validator("use")
    @classmethod
    def _must_be_installed(cls, use: str | None, info: ValidationInfo) -> str | None:
        if use is not None and use not in (actions := info.context or {}):
            raise ValueError(f"no action {use!r}: {did_you_mean(use, actions)}")
        return use

    @field_validator("parameters", "when", "for_each", "approval", "until", "key", "undo")
    @classmethod
    def _must_compile(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the field holds
        plain = given.model_dump() if isinstance(given, Value) else given
        if wrong := list(problems(plain)):
            raise ValueError("; ".join(wrong))
        return given

    @model_validator(mode="after")
    def _must_be_one_kind(self, info: ValidationInfo) -> Self:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a step has exactly one of {', '.join(KINDS)}")
        if self.use is None and (wrong := [n for n in ABOUT_ACTIONS if getattr(self, n)]):
            raise ValueError(f"{wrong[0]}: only a step with use has it")
        if self.parameters and not (self.use or self.playbook):
            raise ValueError("with: only a step with use or playbook has it")
        if self.until and not self.wait:
            raise ValueError("until: only a step with wait has it")
        if self.use:
            self._must_fit_its_action((info.context or {}).get(self.use), info.context or {})
        return self

    def _must_fit_its_action(self, action: Any, actions: Mapping[str, Any]) -> None:  # noqa: ANN401 - an action's class: importing it here would be a circle
        if action is None:
            return
        undoes = action.undoes or self.undo is not None
        if self.ttl and not undoes:
            raise ValueError(f"ttl: {self.use} cannot be undone, so it has no end: write undo")
        if undoes and not self.ttl:
            raise ValueError(f"ttl is missing: say when {self.use} ends, such as 24h")
        if self.no_undo and undoes:
            raise ValueError(f"no_undo: {self.use} can be undone")
        _must_know(self.parameters, action, "with")
        if self.undo:
            if self.undo.use not in actions:
                hint = did_you_mean(self.undo.use, actions)
                raise ValueError(f"undo: no action {self.undo.use!r}: {hint}")
            _must_know(self.undo.parameters, actions[self.undo.use], "undo.with")

    @property
    def kind(self) -> str:
        """Return which of the six kinds it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def handlers(self) -> tuple["Step", ...]:
        """Return the steps that follow when it fails."""
        return () if isinstance(self.on_failure, OnFailure) else self.on_failure

    def branches(self) -> tuple[tuple["Step", ...], ...]:
        """Return the steps inside it, by branch; ``do`` is one branch."""
        return (self.do,) if self.do else self.parallel or ()


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield *steps* and all steps inside them, in the order in which they are written."""
    for step in steps:
        yield step
        for branch in step.branches():
            yield from walk(branch)
        yield from walk(step.handlers)


def _must_know(parameters: Mapping[str, Any], action: Any, where: str) -> None:  # noqa: ANN401 - as above
    known = {field.alias or name for name, field in action.model_fields.items()}
    if unknown := sorted(set(parameters) - known):
        raise ValueError(f"{where}: unknown key {unknown[0]!r}: {did_you_mean(unknown[0], known)}")
