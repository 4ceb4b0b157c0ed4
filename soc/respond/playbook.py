"""Playbooks as people write them."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import Field, PrivateAttr, field_validator, model_validator

from soc.content.digest import digest_of
from soc.content.kinds import Described, Duration, load
from soc.model.value import EPOCH, Severity, Slug, Value
from soc.respond.expression import problems
from soc.respond.parameter import Parameter
from soc.respond.signature import Signature
from soc.respond.step import Step, walk

ParameterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
SecretName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]


class OnIncident(Value):
    """Which incidents start it: those with an alert of one of these rules."""

    rules: Annotated[tuple[Slug, ...], Field(min_length=1)]
    severity: tuple[Severity, ...] = ()
    when: str | None = None


class OnSchedule(Value):
    """When it starts by itself: every so often, or as a cron line says.

    tz: the zone that the cron line is read in. catch_up: what becomes of times that passed while
    nothing ran: skip them, run once for all, or run each.
    """

    every: Duration | None = None
    cron: str | None = None
    tz: str = "UTC"
    catch_up: Literal["skip", "once", "all"] = "once"

    @model_validator(mode="after")
    def _must_name_a_time(self) -> Self:
        if (self.every is None) == (self.cron is None):
            raise ValueError("a schedule has either every or cron")
        try:
            ZoneInfo(self.tz)
        except (KeyError, ValueError, OSError) as wrong:
            raise ValueError(f"tz: no zone {self.tz!r}: write one such as Europe/Berlin") from wrong
        try:
            CronSim(self.cron or "* * * * *", EPOCH)
        except CronSimError as wrong:
            raise ValueError(f"cron: {wrong}: write five fields such as 0 9 * * 1-5") from wrong
        return self


class Trigger(Value):
    """What starts it: incidents or a schedule; manual: the roles whose members may start it."""

    incident: OnIncident | None = None
    schedule: OnSchedule | None = None
    manual: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _must_be_something(self) -> Self:
        if self.incident and self.schedule:
            raise ValueError("either incident or schedule: a scheduled run has no incident")
        return self


class Playbook(Described):
    """What to do about an incident, in order.

    author: the person who wrote it, such as ``user:alice``; has no vote in its approvals.
    """

    layout: Annotated[Literal["commonwatch.playbook/1"], Field(alias="schema")]
    name: Annotated[Slug, Field(alias="playbook")]
    version: Annotated[int, Field(ge=1)]
    author: str | None = None
    labels: tuple[str, ...] = ()
    on: Trigger
    inputs: Mapping[ParameterName, Parameter] = {}
    secrets: tuple[SecretName, ...] = ()
    once_per: str | None = None
    timeout: Duration = timedelta(days=30)
    mode: Literal["live", "dry_run"] = "live"
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    on_failure: tuple[Step, ...] = ()
    outputs: Mapping[ParameterName, Any] = {}
    _signature: Signature | None = PrivateAttr(default=None)

    @field_validator("once_per", "outputs")
    @classmethod
    def _must_compile(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the field holds
        if wrong := list(problems(given)):
            raise ValueError("; ".join(wrong))
        return given

    @model_validator(mode="after")
    def _ids_must_differ(self) -> Self:
        ids = [step.id for step in self.every_step()]
        if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"step id {twice[0]!r} is here twice")
        return self

    @property
    def signature(self) -> Signature | None:
        """Return the word of whoever released it, if that was checked; no part of what it says."""
        return self._signature

    def released(self, signature: Signature) -> "Playbook":
        """Return the same playbook, released by *signature*, which somebody has checked."""
        copied = self.model_copy()
        copied._signature = signature  # noqa: SLF001 - its own class
        return copied

    @property
    def digest(self) -> str:
        """Return what a run pins: comments and layout of the file do not matter."""
        return digest_of(self.plain())

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values, as it is written."""
        return self.model_dump(mode="json", by_alias=True)

    def every_step(self) -> Iterator[Step]:
        """Yield every step at any depth, also those that only follow a failure."""
        yield from walk(self.steps)
        yield from walk(self.on_failure)

    def containing(self, actions: Mapping[str, Any]) -> Iterator[Step]:
        """Yield the steps that hold somebody back."""
        return (step for step in self.every_step() if step.use and actions[step.use].undoes)


def read(path: Path, actions: Mapping[str, Any]) -> Playbook:
    """Return the playbook in *path*; raises ContentError with all its mistakes."""
    return load(path, Playbook, actions)
