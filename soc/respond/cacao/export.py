"""Write a playbook as CACAO 2.0. What CACAO has no word for goes into one extension per step."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

from soc.respond.action import Action, Risk
from soc.respond.cacao.inputs import variable_of
from soc.respond.cacao.names import (
    ALWAYS,
    ENGINE,
    EXTENSION,
    EXTENSION_SCHEMA,
    group_id,
    identity_id,
    playbook_id,
    secret_id,
    step_id,
    variable,
)
from soc.respond.playbook import Playbook
from soc.respond.step import OnFailure, Step

ACTIVITIES = MappingProxyType(
    {
        Risk.READ: "analyze-collected-data",
        Risk.NOTIFY: "deliver-content",
        Risk.CONTAIN: "restrict-access",
        Risk.DESTROY: "eliminate-risk",
    }
)
TYPES = MappingProxyType(
    {
        "use": "action",
        "approval": "action",
        "wait": "action",
        "parallel": "parallel",
        "do": "if-condition",
        "playbook": "playbook-action",
    }
)
ONLY_OURS = ("schema", "title", "description", "created", "labels", "references")
"""Of a playbook, what has a place of its own in CACAO, and the mark of our files."""
LAST_MILLISECOND = 86_399_999


def export(playbook: Playbook, actions: Mapping[str, type[Action]]) -> dict[str, Any]:
    """Return *playbook* as a CACAO 2.0 playbook; the same one gives the same, whenever asked."""
    return _Export(playbook, actions).whole()


class _Export:
    """One playbook on its way out."""

    def __init__(self, playbook: Playbook, actions: Mapping[str, type[Action]]) -> None:
        self._playbook, self._actions = playbook, actions
        self._workflow: dict[str, Any] = {}
        self._agents: dict[str, Any] = {}
        self._variables: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        """Return all of it."""
        p = self._playbook
        start = self._id("start", "start")
        first = self._chain(p.steps, self._end("/steps"))
        self._workflow[start] = {"type": "start", "on_completion": first}
        author = identity_id(p.author or p.owner)
        made = {
            "type": "playbook",
            "spec_version": "cacao-2.0",
            "id": playbook_id(p.name),
            "name": p.title,
            "description": p.description,
            "playbook_types": [_type(p)],
            "created_by": author,
            "created": _moment(p.created, 0),
            # Two versions of one day differ: CACAO knows a version by this moment.
            "modified": _moment(max(p.created, p.reviewed), p.version),
            "labels": list(p.labels),
            "external_references": [_reference(one) for one in p.references],
            "workflow_start": start,
            "workflow": self._workflow,
        }
        if p.on_failure:
            made["workflow_exception"] = self._chain(p.on_failure, self._end("/on_failure"))
        made["playbook_extensions"] = {EXTENSION: self._head()}
        made["playbook_variables"] = self._variables
        made["authentication_info_definitions"] = {secret_id(n): _secret(n) for n in p.secrets}
        made["agent_definitions"] = self._agents
        made["extension_definitions"] = {EXTENSION: _extension(author)}
        return {key: value for key, value in made.items() if value not in ([], {})}

    def _head(self) -> dict[str, Any]:
        plain = self._playbook.model_dump(
            mode="json",
            by_alias=True,
            exclude_defaults=True,
            exclude={"steps", "on_failure", "inputs"},
        )
        head = {key: value for key, value in plain.items() if key not in ONLY_OURS}
        inputs = {}
        for name, parameter in self._playbook.inputs.items():
            self._variables[variable(name)], inputs[name] = variable_of(parameter)
        return {**head, "inputs": inputs} if inputs else head

    def _chain(self, steps: Sequence[Step], after: str) -> str:
        """Write *steps*, the last of which leads to *after*; return the id of the first."""
        for step in reversed(steps):
            after = self._step(step, after)
        return after

    def _step(self, step: Step, after: str) -> str:
        """Write *step* and what is inside it; return the id by which it is reached."""
        id_ = self._id(TYPES[step.kind], step.id)
        guarded = step.when is not None and step.do is None
        next_ = self._end(step.id) if guarded else after
        rest = self._rest(step)
        made: dict[str, Any] = {
            "type": TYPES[step.kind],
            "name": step.title or step.id,
            **self._native(step, rest),
            **self._ways(step, next_),
            "step_extensions": {EXTENSION: rest},
        }
        if step.timeout:
            made["timeout"] = _milliseconds(step.timeout)
        self._workflow[id_] = made
        if not guarded:
            return id_
        gate = self._id("if-condition", f"{step.id}/when")
        self._workflow[gate] = {
            "type": "if-condition",
            "name": f"when {step.id}",
            "condition": self._condition(step),
            "on_true": id_,
            "on_success": after,
            "step_extensions": {EXTENSION: {"when": step.when}},
        }
        return gate

    def _rest(self, step: Step) -> dict[str, Any]:
        """Return *step* but for what the CACAO step says in its own words."""
        inner = {"parallel", "do"} | ({"on_failure"} if step.handlers else set())
        rest = step.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=inner)
        if step.title != step.id:
            rest.pop("title", None)
        if rest.get("on_failure") == OnFailure.CONTINUE:
            del rest["on_failure"]
        if step.do is None:
            rest.pop("when", None)
        if step.approval is None:
            rest.pop("timeout", None)
        return {"kind": step.kind, **rest}

    def _native(self, step: Step, rest: dict[str, Any]) -> dict[str, Any]:
        """Return what CACAO itself says about *step*, and take that out of *rest*."""
        if step.use:
            del rest["use"]
            rest.pop("with", None)
            return self._by_engine(self._command(step))
        if step.approval:
            del rest["approval"]["ask"]
            return self._question(step)
        if step.wait:
            del rest["wait"]
            delay = {"delay": _milliseconds(step.wait)}
            return delay | self._by_engine({"type": "soar-action", "command": "wait"})
        if step.parallel:
            places = enumerate(step.parallel)
            branches = [self._chain(b, self._end(f"{step.id}/{n}")) for n, b in places]
            return {"next_steps": branches}
        if step.do:
            inside = self._chain(step.do, self._end(f"{step.id}/do"))
            return {"condition": self._condition(step), "on_true": inside}
        return {"playbook_id": playbook_id(step.playbook or "")}

    def _command(self, step: Step) -> dict[str, Any]:
        given = json.dumps(dict(step.parameters), sort_keys=True, ensure_ascii=False)
        action = self._actions[step.use or ""]
        activity = ACTIVITIES[action.risk]
        return {
            "type": "soar-action",
            "command": step.use,
            "content": given,
            "playbook_activity": activity,
        }

    def _by_engine(self, command: dict[str, Any]) -> dict[str, Any]:
        self._agents[ENGINE] = {
            "type": "security-category",
            "name": "Commonwatch",
            "category": ["orchestrator"],
        }
        return {"agent": ENGINE, "commands": [command]}

    def _question(self, step: Step) -> dict[str, Any]:
        ask = step.approval
        assert ask is not None  # noqa: S101 - only approvals come here
        people, answer = ask.approvers[0], variable(f"{step.id}-approved")
        self._agents[group_id(people)] = {"type": "group", "name": people}
        about = "what people decided"
        return {
            "agent": group_id(people),
            "commands": [{"type": "manual", "command": ask.ask}],
            "timeout": _milliseconds(ask.expires),
            "out_args": [answer],
            "step_variables": {answer: {"type": "bool", "description": about}},
        }

    def _ways(self, step: Step, next_: str) -> dict[str, Any]:
        if step.on_failure is OnFailure.CONTINUE:
            return {"on_completion": next_}
        if step.handlers:
            return {"on_success": next_, "on_failure": self._chain(step.handlers, next_)}
        return {"on_success": next_}

    def _condition(self, step: Step) -> str:
        name = ALWAYS if step.when is None else variable(f"{step.id}-when")
        told = {"description": f"computed by the engine: {step.when}"} if step.when else {}
        value = "true" if step.when is None else "false"
        self._variables[name] = {"type": "bool", "value": value, **told}
        return f"{name}:value = 'true'"

    def _end(self, path: str) -> str:
        id_ = self._id("end", f"{path}/end")
        self._workflow[id_] = {"type": "end"}
        return id_

    def _id(self, kind: str, path: str) -> str:
        return step_id(kind, self._playbook.name, path)


def _type(playbook: Playbook) -> str:
    holds = any(step.ttl for step in playbook.every_step())
    return "mitigation" if holds else "notification"


def _reference(text: str) -> dict[str, str]:
    is_url = text.startswith(("http://", "https://"))
    return {"name": text, "url" if is_url else "source": text}


def _secret(name: str) -> dict[str, Any]:
    return {"type": "user-auth", "name": name, "kms": True, "kms_key_identifier": name}


def _extension(author: str) -> dict[str, str]:
    return {
        "type": "extension-definition",
        "name": "Commonwatch playbook",
        "description": "What a Commonwatch playbook says and CACAO has no word for.",
        "created_by": author,
        "schema": EXTENSION_SCHEMA,
        "version": "1.0.0",
    }


def _moment(day: date, milliseconds: int) -> str:
    midnight = datetime.combine(day, time(), UTC)
    moment = midnight + timedelta(milliseconds=min(milliseconds, LAST_MILLISECOND))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(span: timedelta) -> int:
    return round(span.total_seconds() * 1_000)
