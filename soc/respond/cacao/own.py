"""A playbook of ours back from CACAO: its own words, and what the extensions keep."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from soc.content.kinds import duration_text
from soc.errors import Refused
from soc.respond.cacao.document import Cacao, Command, Node
from soc.respond.cacao.inputs import no_number, value_of
from soc.respond.cacao.names import EXTENSION, variable
from soc.respond.step import KINDS

DEEPEST = 40


def restore(document: Cacao) -> dict[str, Any]:
    """Return the playbook in *document*, as it is written; raises Refused."""
    return _Own(document).whole()


class _Own:
    """One look through a document; every step is reached once."""

    def __init__(self, document: Cacao) -> None:
        self._document = document
        self._seen: set[str] = set()

    def whole(self) -> dict[str, Any]:
        """Return all of it."""
        document = self._document
        head = dict(_mapping(document.playbook_extensions, EXTENSION, "playbook_extensions"))
        inputs = _mapping(head, "inputs", f"playbook_extensions/{EXTENSION}", {})
        start = document.node(document.workflow_start, "workflow_start")
        made = {
            "schema": "commonwatch.playbook/1",
            **head,
            "title": document.name,
            "description": document.description,
            "created": document.created[:10],
            "labels": list(document.labels),
            "references": [reference.name for reference in document.external_references],
            "inputs": {name: self._input(name, rest) for name, rest in inputs.items()},
            "steps": self._sequence(start.on_completion, None, "workflow_start"),
        }
        if document.workflow_exception:
            steps = self._sequence(document.workflow_exception, None, "workflow_exception")
            made["on_failure"] = steps
        return made

    def _input(self, name: str, rest: object) -> dict[str, Any]:
        where = f"playbook_extensions/{EXTENSION}/inputs/{name}"
        if not isinstance(rest, Mapping):
            raise Refused(f"{where}: must be an object")
        told = self._document.playbook_variables.get(variable(name))
        if told is None:
            raise Refused(f"{where}: playbook_variables has no {variable(name)}")
        made = {"about": told.description, **rest}
        if "default" not in made and told.value is not None:
            made["default"] = value_of(str(rest.get("type")), told.value)
        return made

    def _sequence(
        self, id_: str | None, stop: str | None, where: str, depth: int = 0
    ) -> list[dict[str, Any]]:
        """Return the steps from *id_* up to *stop*, or to an end."""
        if depth > DEEPEST:
            raise Refused(f"{where}: steps are nested deeper than {DEEPEST}")
        steps = []
        while id_ != stop:
            node = self._document.node(id_, where)
            if node.type == "end":
                break
            assert id_ is not None  # noqa: S101 - it names a step
            if id_ in self._seen:
                raise Refused(f"{where}: leads back to {id_}")
            self._seen.add(id_)
            where = f"workflow/{id_}"
            steps.append(self._step(node, where, depth))
            id_ = node.next
        return steps

    def _step(self, node: Node, where: str, depth: int) -> dict[str, Any]:
        rest = _mapping(node.step_extensions, EXTENSION, f"{where}/step_extensions")
        if set(rest) != {"when"}:
            return self._made(node, rest, where, depth)
        inner = self._document.node(node.on_true, f"{where}/on_true")
        self._seen.add(node.on_true or "")
        at = f"workflow/{node.on_true}"
        own = _mapping(inner.step_extensions, EXTENSION, f"{at}/step_extensions")
        return {**self._made(inner, own, at, depth), "when": rest["when"]}

    def _made(self, node: Node, rest: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
        kind = rest.get("kind")
        if kind not in KINDS:
            raise Refused(f"{where}/step_extensions: kind must be one of {', '.join(KINDS)}")
        made = {key: value for key, value in rest.items() if key != "kind"}
        if node.name != made.get("id"):
            made["title"] = node.name
        if node.timeout is not None and kind != "approval":
            made["timeout"] = _span(node.timeout)
        if node.on_completion:
            made["on_failure"] = "continue"
        elif node.on_failure:
            made["on_failure"] = self._sequence(
                node.on_failure, node.next, f"{where}/on_failure", depth + 1
            )
        return made | self._native(kind, node, made, where, depth)

    def _native(
        self, kind: str, node: Node, rest: Mapping[str, Any], where: str, depth: int
    ) -> dict[str, Any]:
        match kind:
            case "use":
                command = _command(node, where)
                given = _parameters(command, f"{where}/commands/0/content")
                return {"use": command.command, "with": given}
            case "approval":
                ask = _mapping(rest, "approval", f"{where}/step_extensions/{EXTENSION}")
                return {"approval": {**ask, "ask": _command(node, where).command}}
            case "wait":
                if node.delay is None:
                    raise Refused(f"{where}/delay: is missing")
                return {"wait": _span(node.delay)}
            case "parallel":
                branches = [
                    self._sequence(id_, None, f"{where}/next_steps/{number}", depth + 1)
                    for number, id_ in enumerate(node.next_steps)
                ]
                return {"parallel": branches}
            case "do":
                return {"do": self._sequence(node.on_true, None, f"{where}/on_true", depth + 1)}
        return {}


def _command(node: Node, where: str) -> Command:
    if len(node.commands) != 1:
        raise Refused(f"{where}/commands: a step of ours has one, not {len(node.commands)}")
    return node.commands[0]


def _parameters(command: Command, where: str) -> dict[str, Any]:
    try:
        given = json.loads(command.content or "{}", parse_constant=no_number)
    except (ValueError, RecursionError) as broken:
        raise Refused(f"{where}: must be JSON: {broken}") from broken
    if not isinstance(given, dict):
        raise Refused(f"{where}: must be a JSON object")
    return given


def _mapping(
    within: Mapping[str, Any], key: str, where: str, default: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    found = within.get(key, default)
    if not isinstance(found, Mapping):
        raise Refused(f"{where}/{key}: is missing, or is no object")
    return found


def _span(milliseconds: int) -> str:
    try:
        return duration_text(timedelta(milliseconds=milliseconds))
    except OverflowError:
        return f"{milliseconds}ms"  # what no span can be is refused where the playbook is checked
