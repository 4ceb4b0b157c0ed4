"""Say what a playbook would do, and do nothing."""

from typing import Any

from soc.app.suite import Suite
from soc.errors import NotFound
from soc.incidents import lifecycle
from soc.respond.plan import outline
from soc.respond.steps import Steps
from soc.respond.trigger import inputs_of
from soc.store.session import reading


def plan_for(suite: Suite, playbook: str, incident: str) -> dict[str, Any]:
    """Return what *playbook* would do about *incident* now."""
    found = next((p for p in suite.playbooks.usable if p.name == playbook), None)
    if found is None:
        raise NotFound("playbook", playbook)
    number = lifecycle.number_of(incident)
    with reading(suite.database) as looking:
        rules = found.on.incident.rules
        counted = [a for a in lifecycle.alerts_of(looking, number) if a.rule in rules]
        inputs = inputs_of(looking, lifecycle.get(looking, number), counted)
    return outline(Steps(found, suite.actions, suite.settings.respond), inputs)
