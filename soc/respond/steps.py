"""What the steps of a playbook mean in a context: items, actions, what would be put in force."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from soc.errors import ExpressionError
from soc.respond.action import Action, Hold
from soc.respond.expression import render, truth
from soc.respond.guard import HARMLESS, is_protected
from soc.respond.playbook import Playbook, Step
from soc.settings import Respond

Context = Mapping[str, Any]
APPROVED = {"approved": True, "state": "approved", "by": []}


@dataclass(frozen=True, slots=True)
class Steps:
    """A playbook with all that is needed to say what its steps would do."""

    playbook: Playbook
    actions: Mapping[str, type[Action]]
    policy: Respond

    def kind(self, step: Step) -> type[Action]:
        """Return the action that *step* uses."""
        return self.actions[step.use or ""]

    def lasts(self, step: Step) -> timedelta:
        """Return how long an effect of *step* is in force: as the site says, else the playbook."""
        name = f"{self.playbook.name}/{step.id}"
        return self.policy.ttl.get(name, step.ttl or timedelta())

    def items(self, step: Step, context: Context) -> list[Any]:
        """Return what *step* is done to, one None without ``for_each``; never more than it may."""
        if step.for_each is None:
            return [None]
        items = render(step.for_each, context)
        if not isinstance(items, list):
            raise ExpressionError(f"for_each of {step.id} must give a list")
        return items[: step.max_items]

    def action(self, step: Step, context: Context) -> Action:
        """Return the action of *step* with its parameters.

        Raises ExpressionError, or ValidationError for parameters that the action refuses.
        """
        given = render(dict(step.parameters), context)
        return self.kind(step).model_validate_json(orjson.dumps(given))

    def planned(self, step: Step, context: Context) -> dict[int, Hold]:
        """Return what *step* would put in force, by the place of its item.

        Who is protected is left out, and so is an item that the action refuses.
        """
        if not step.use or self.kind(step).risk in HARMLESS:
            return {}
        items = enumerate(self.items(step, context))
        found = {place: self._hold(step, {**context, "item": item}) for place, item in items}
        return {
            place: hold
            for place, hold in found.items()
            if hold and not is_protected(hold.subject, self.policy)
        }

    def holds_after(self, asking: Step, context: Context) -> list[Hold]:
        """Return all that an approval at *asking* lets happen, up to the next question."""
        context = {**context, "steps": {**context["steps"], asking.id: APPROVED}}
        place = self.playbook.steps.index(asking)
        found: list[Hold] = []
        for step in self.playbook.steps[place + 1 :]:
            if step.approval:
                break
            if _may_happen(step, context):
                found += self.planned(step, context).values()
        return found

    def _hold(self, step: Step, context: Context) -> Hold | None:
        try:
            hold = self.action(step, context).plan()
        except ValidationError:
            if step.for_each is None:
                raise
            return None
        return replace(hold, seconds=round(self.lasts(step).total_seconds())) if hold else None


def _may_happen(step: Step, context: Context) -> bool:
    """Return whether *step* is done; what cannot be told yet may happen."""
    try:
        return step.when is None or truth(step.when, context)
    except ExpressionError:
        return True
