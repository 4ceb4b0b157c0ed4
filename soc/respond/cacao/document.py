"""A CACAO 2.0 playbook as it came: what we read of it has a type, all else is kept as it is."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from soc.errors import Refused
from soc.respond.cacao.names import EXTENSION

MAX_BYTES = 1024 * 1024
MAX_STEPS = 2_000


class Part(BaseModel):
    """Some part of it; ``model_extra`` holds what we do not read."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    def unread(self, used: Collection[str]) -> list[str]:
        """Return the keys that it has and that are not *used*."""
        return sorted(self.model_fields_set - set(used))


class Command(Part):
    """What an action step does. content: of a command of ours, its parameters as JSON."""

    type: str
    command: str = ""
    content: str = ""


class Variable(Part):
    """A variable: an input if it is external."""

    type: str
    description: str = ""
    value: str | None = None
    external: bool = False


class Node(Part):
    """One step."""

    type: str
    name: str = ""
    description: str = ""
    delay: int | None = None
    timeout: int | None = None
    on_completion: str | None = None
    on_success: str | None = None
    on_failure: str | None = None
    commands: tuple[Command, ...] = ()
    next_steps: tuple[str, ...] = ()
    condition: str = ""
    on_true: str | None = None
    on_false: str | None = None
    switch: str = ""
    cases: Mapping[str, str] = {}
    playbook_id: str = ""
    step_extensions: Mapping[str, Any] = {}

    @property
    def next(self) -> str | None:
        """The step that follows if nothing fails."""
        return self.on_success or self.on_completion


class Reference(Part):
    """Where one can read more."""

    name: str
    url: str = ""


class Cacao(Part):
    """The whole playbook."""

    type: Literal["playbook"]
    spec_version: Literal["cacao-2.0"]
    id: str
    name: str
    description: str = ""
    created: str
    modified: str
    labels: tuple[str, ...] = ()
    external_references: tuple[Reference, ...] = ()
    playbook_variables: Mapping[str, Variable] = {}
    workflow_start: str
    workflow_exception: str | None = None
    workflow: Mapping[str, Node] = Field(min_length=1, max_length=MAX_STEPS)
    playbook_extensions: Mapping[str, Any] = {}

    @property
    def is_ours(self) -> bool:
        """Whether it says of itself all that a playbook of ours does."""
        return EXTENSION in self.playbook_extensions

    def node(self, id_: str | None, where: str) -> Node:
        """Return the step *id_* that *where* leads to; raises Refused."""
        if id_ is None or id_ not in self.workflow:
            raise Refused(f"{where}: leads to {id_}, and workflow has no such step")
        return self.workflow[id_]


def read(data: bytes) -> tuple[Cacao, dict[str, Any]]:
    """Return the playbook in *data*, and the same as plain values; raises Refused.

    All that is wrong with its form is named, each with its place.
    """
    if len(data) > MAX_BYTES:
        raise Refused(f"over {MAX_BYTES} bytes: no playbook of people is that long")
    try:
        plain = orjson.loads(data)
        return Cacao.model_validate_json(data), plain
    except orjson.JSONDecodeError as broken:
        raise Refused(f"no JSON: {broken}") from broken
    except ValidationError as invalid:
        wrong = [
            f"{'/'.join(map(str, error['loc'])) or 'playbook'}: {error['msg']}"
            for error in invalid.errors(include_url=False, include_input=False)
        ]
        raise Refused("\n".join(wrong)) from invalid
