"""What a step means in a context: its items, its action, what it would put in force."""

from collections.abc import Mapping
from typing import Any

import orjson

from soc.errors import ExpressionError
from soc.respond.action import Action, Hold
from soc.respond.expression import render, truth
from soc.respond.playbook import Playbook, Step

Actions = Mapping[str, type[Action]]
Context = Mapping[str, Any]


def items_of(step: Step, context: Context) -> list[Any]:
    """Return what *step* is done to: one None if it has no ``for_each``."""
    if step.for_each is None:
        return [None]
    items = render(step.for_each, context)
    if not isinstance(items, list) or len(items) > step.max_items:
        raise ExpressionError(f"for_each of {step.id} must give a list of at most {step.max_items}")
    return items


def action_of(step: Step, context: Context, actions: Actions) -> Action:
    """Return the action of *step* with its parameters; raises ExpressionError, ValidationError."""
    given = render(dict(step.parameters), context)
    return actions[step.use or ""].model_validate_json(orjson.dumps(given))


def holds_of(step: Step, context: Context, actions: Actions) -> list[Hold]:
    """Return what *step* would put in force."""
    if not step.use:
        return []
    found = [
        action_of(step, {**context, "item": item}, actions).plan()
        for item in items_of(step, context)
    ]
    return [hold for hold in found if hold]


def holds_after(playbook: Playbook, asking: Step, context: Context, actions: Actions) -> list[Hold]:
    """Return all that an approval at *asking* lets happen, up to the next question."""
    approved = {"approved": True, "state": "approved", "by": []}
    context = {**context, "steps": {**context["steps"], asking.id: approved}}
    found: list[Hold] = []
    for step in playbook.steps[playbook.steps.index(asking) + 1 :]:
        if step.approval:
            break
        if not step.when or truth(step.when, context):
            found += holds_of(step, context, actions)
    return found
