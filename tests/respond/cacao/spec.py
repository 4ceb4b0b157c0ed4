"""What CACAO Security Playbooks 2.0 (OASIS Committee Specification 01) requires of what we write.

It knows nothing of how we write it: the tables below are the specification's own.
"""

import re
from collections.abc import Iterator
from typing import Any

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
IDENTIFIER = re.compile(rf"[a-z][a-z0-9-]+[a-z0-9]--{UUID}")
VARIABLE = re.compile(r"__[a-zA-Z_][a-zA-Z0-9_-]{0,199}__")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

# Section 3.1: (type, required).
PLAYBOOK: dict[str, tuple[type, bool]] = {
    "type": (str, True), "spec_version": (str, True), "id": (str, True), "name": (str, True),
    "description": (str, False), "playbook_types": (list, False), "playbook_activities": (list, False),
    "playbook_processing_summary": (dict, False), "created_by": (str, True), "created": (str, True),
    "modified": (str, True), "revoked": (bool, False), "valid_from": (str, False),
    "valid_until": (str, False), "derived_from": (list, False), "related_to": (list, False),
    "priority": (int, False), "severity": (int, False), "impact": (int, False),
    "industry_sectors": (list, False), "labels": (list, False), "external_references": (list, False),
    "markings": (list, False), "playbook_variables": (dict, False), "workflow_start": (str, True),
    "workflow_exception": (str, False), "workflow": (dict, True), "playbook_extensions": (dict, False),
    "authentication_info_definitions": (dict, False), "agent_definitions": (dict, False),
    "target_definitions": (dict, False), "extension_definitions": (dict, False),
    "data_marking_definitions": (dict, False), "signatures": (list, False),
}  # fmt: skip
# Section 4.1, what all steps may have; 4.2 to 4.9, what those of one type have beyond.
STEP: dict[str, tuple[type, bool]] = {
    "type": (str, True), "name": (str, False), "description": (str, False),
    "external_references": (list, False), "delay": (int, False), "timeout": (int, False),
    "step_variables": (dict, False), "owner": (str, False), "on_completion": (str, False),
    "on_success": (str, False), "on_failure": (str, False), "step_extensions": (dict, False),
}  # fmt: skip
OF_TYPE: dict[str, dict[str, tuple[type, bool]]] = {
    "start": {},
    "end": {},
    "action": {"commands": (list, True), "agent": (str, True), "targets": (list, False),
               "in_args": (list, False), "out_args": (list, False)},
    "playbook-action": {"playbook_id": (str, True), "playbook_version": (str, False),
                        "in_args": (list, False), "out_args": (list, False)},
    "parallel": {"next_steps": (list, True)},
    "if-condition": {"condition": (str, True), "on_true": (str, True), "on_false": (str, False)},
    "while-condition": {"condition": (str, True), "on_true": (str, True)},
    "switch-condition": {"switch": (str, True), "cases": (dict, True)},
}  # fmt: skip
LEADS = ("on_completion", "on_success", "on_failure", "on_true", "on_false")


def violations(document: dict[str, Any]) -> list[str]:
    """Return everything in *document* that the specification does not allow."""
    found = list(_shape(document, PLAYBOOK, "playbook"))
    if found:
        return found
    return [*_head(document), *_definitions(document), *_workflow(document)]


def references(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every id that a step, or the playbook itself, says to go to, and from where."""
    for key in ("workflow_start", "workflow_exception"):
        if key in document:
            yield key, document[key]
    for id_, step in document["workflow"].items():
        yield from ((f"{id_}/{key}", step[key]) for key in LEADS if key in step)
        yield from ((f"{id_}/next_steps", one) for one in step.get("next_steps", []))
        yield from ((f"{id_}/cases", one) for one in step.get("cases", {}).values())


def _head(document: dict[str, Any]) -> Iterator[str]:
    if (document["type"], document["spec_version"]) != ("playbook", "cacao-2.0"):
        yield "playbook: is no CACAO 2.0"
    for key in ("id", "created_by", "workflow_start"):
        if not IDENTIFIER.fullmatch(document[key]):
            yield f"{key}: is no identifier"
    for key in ("created", "modified"):
        if not MOMENT.fullmatch(document[key]):
            yield f"{key}: is no timestamp"
    if document["modified"] < document["created"]:
        yield "modified: is before created"
    if not document["id"].startswith("playbook--"):
        yield "id: is not that of a playbook"
    if not document["workflow_start"].startswith("start--"):
        yield "workflow_start: is no start step"
    yield from _parts(document)


def _parts(document: dict[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        if value in ([], {}):
            yield f"{key}: an empty list or object must be left out"
    for one in document.get("external_references", []):
        if "name" not in one or not {"description", "source", "url", "external_id"} & set(one):
            yield f"external_references: {one} says too little"


def _definitions(document: dict[str, Any]) -> Iterator[str]:
    for group in ("authentication_info_definitions", "agent_definitions", "extension_definitions"):
        for id_, told in document.get(group, {}).items():
            if not IDENTIFIER.fullmatch(id_) or id_.partition("--")[0] != told.get("type"):
                yield f"{group}/{id_}: is not of the type in its id"
            if "name" not in told:
                yield f"{group}/{id_}: has no name"
    for id_, told in document.get("agent_definitions", {}).items():
        if told["type"] == "security-category" and not told.get("category"):
            yield f"agent_definitions/{id_}: has no category"
    for id_, told in document.get("extension_definitions", {}).items():
        if missing := {"created_by", "schema", "version"} - set(told):
            yield f"extension_definitions/{id_}: has no {sorted(missing)}"
    yield from _variables(document.get("playbook_variables", {}), "playbook_variables")
    yield from _extensions(document)


def _extensions(document: dict[str, Any]) -> Iterator[str]:
    used = {*document.get("playbook_extensions", {})}
    for step in document["workflow"].values():
        used |= set(step.get("step_extensions", {}))
    for id_ in sorted(used - set(document.get("extension_definitions", {}))):
        yield f"{id_}: is used and not defined"


def _variables(variables: dict[str, Any], where: str) -> Iterator[str]:
    for name, told in variables.items():
        if not VARIABLE.fullmatch(name):
            yield f"{where}/{name}: is no name of a variable"
        if not isinstance(told.get("value", ""), str) or "type" not in told:
            yield f"{where}/{name}: must have a type, and text as value"


def _workflow(document: dict[str, Any]) -> Iterator[str]:
    workflow = document["workflow"]
    for place, id_ in references(document):
        if id_ not in workflow:
            yield f"{place}: leads to {id_}, which is not there"
    for id_, step in workflow.items():
        kind = step.get("type")
        if not IDENTIFIER.fullmatch(id_) or id_.partition("--")[0] != kind or kind not in OF_TYPE:
            yield f"{id_}: is not of the type in its id"
            continue
        yield from _shape(step, STEP | OF_TYPE[kind], id_)
        yield from _step(step, id_, document)
    reached = {id_ for _, id_ in references(document)}
    yield from (f"{id_}: is reached from nowhere" for id_ in sorted(set(workflow) - reached))


def _step(step: dict[str, Any], id_: str, document: dict[str, Any]) -> Iterator[str]:
    ways = {"on_completion", "on_success", "on_failure"} & set(step)
    if step["type"] == "end" and ways:
        yield f"{id_}: nothing follows an end"
    if step["type"] == "start" and ways != {"on_completion"}:
        yield f"{id_}: a start has on_completion alone"
    if step["type"] not in {"start", "end"} and not {"on_completion", "on_success"} & ways:
        yield f"{id_}: has no way on"
    if "on_completion" in ways and len(ways) > 1:
        yield f"{id_}: on_completion stands beside on_success or on_failure"
    yield from _own(step, id_, document)
    yield from _named(step, id_, document)


def _own(step: dict[str, Any], id_: str, document: dict[str, Any]) -> Iterator[str]:
    if step["type"] == "parallel" and len(step["next_steps"]) < 2:
        yield f"{id_}: fewer than two branches"
    if step["type"] == "action":
        if step["agent"] not in document.get("agent_definitions", {}):
            yield f"{id_}: its agent is not defined"
        if not step["commands"] or any("type" not in one for one in step["commands"]):
            yield f"{id_}: a command without a type"


def _named(step: dict[str, Any], id_: str, document: dict[str, Any]) -> Iterator[str]:
    yield from _variables(step.get("step_variables", {}), id_)
    known = {*document.get("playbook_variables", {}), *step.get("step_variables", {})}
    named = {*step.get("out_args", []), *re.findall(r"(__\S+?__):value", step.get("condition", ""))}
    yield from (f"{id_}: {name} is not declared" for name in sorted(named - known))
    for key in ("delay", "timeout"):
        if step.get(key, 1) < 1:
            yield f"{id_}: {key} is no span"


def _shape(given: dict[str, Any], known: dict[str, tuple[type, bool]], where: str) -> Iterator[str]:
    for key in sorted(set(given) - set(known)):
        yield f"{where}: has no property {key}"
    for key, (kind, is_required) in known.items():
        if is_required and key not in given:
            yield f"{where}: {key} is missing"
        if key in given and not isinstance(given[key], kind):
            yield f"{where}: {key} is no {kind.__name__}"
