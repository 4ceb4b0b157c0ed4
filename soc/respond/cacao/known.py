"""Which properties are read of each part of a CACAO playbook of others; all else is told."""

from types import MappingProxyType

WAYS = frozenset({"type", "name", "delay", "on_completion", "on_success", "on_failure"})
USED = MappingProxyType(
    {
        "start": frozenset({"type", "name", "on_completion"}),
        "end": frozenset({"type", "name"}),
        "action": WAYS | {"description", "timeout", "commands"},
        "playbook-action": WAYS | {"description", "timeout", "playbook_id"},
        "parallel": WAYS | {"next_steps"},
        "if-condition": WAYS | {"timeout", "condition", "on_true", "on_false"},
        "while-condition": WAYS | {"timeout", "condition", "on_true"},
        "switch-condition": WAYS | {"timeout", "switch", "cases"},
    }
)
"""What is read of each type of step."""
OF_PLAYBOOK = frozenset(
    {"type", "spec_version", "id", "name", "description", "created", "labels", "workflow"}
    | {"workflow_start", "workflow_exception", "playbook_variables", "external_references"}
)
OF_VARIABLE = frozenset({"type", "description", "value", "external"})
OF_COMMAND = frozenset({"type", "command", "content"})
OF_REFERENCE = frozenset({"name", "url"})
