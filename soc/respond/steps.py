"""What the steps of a playbook mean in a context: items, actions, what would be put in force."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from secrets import token_hex
from typing import Any

import orjson
from pydantic import ValidationError

from soc.content.digest import canonical
from soc.errors import ExpressionError
from soc.respond.action import Action, Hold, Risk
from soc.respond.expression import render, truth
from soc.respond.guard import HARMLESS, is_protected
from soc.respond.playbook import Playbook
from soc.respond.secrets import Opaque, Secret, unread
from soc.respond.step import Step, walk
from soc.settings import Respond

Context = Mapping[str, Any]
APPROVED = {"approved": True, "state": "approved", "by": []}


@dataclass(frozen=True)
class Steps:
    """A playbook with all that is needed to say what its steps would do."""

    playbook: Playbook
    actions: Mapping[str, type[Action]]
    policy: Respond
    secret: Callable[[str], Secret] = unread

    @cached_property
    def by_id(self) -> dict[str, Step]:
        """Every step at any depth, by its id."""
        return {step.id: step for step in self.playbook.every_step()}

    def kind(self, step: Step) -> type[Action]:
        """Return the action that *step* uses."""
        return self.actions[step.use or ""]

    def risk(self, step: Step) -> Risk:
        """Return what *step* can do to the world: with a way back, nothing is destroyed."""
        risk = self.kind(step).risk
        return Risk.CONTAIN if step.undo and risk is Risk.DESTROY else risk

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
        return self.made(step.use or "", step.parameters, context)

    def made(self, use: str, parameters: Mapping[str, Any], context: Context) -> Action:
        """Return the action *use* with its parameters; raises as *action* does."""
        given = render(dict(parameters), {**context, "secrets": self.secret})
        return made(self.actions[use], given)

    def planned(self, step: Step, context: Context) -> dict[int, Hold]:
        """Return what *step* would do beyond looking and telling, by the place of its item.

        Who is protected is left out, and so is an item that the action refuses.
        """
        if not step.use or self.risk(step) in HARMLESS:
            return {}
        items = enumerate(self.items(step, context))
        found = {place: self.hold(step, {**context, "item": item}) for place, item in items}
        return {
            place: hold
            for place, hold in found.items()
            if hold and not is_protected(hold.subject, self.policy)
        }

    def holds_after(self, asking: Step, context: Context) -> list[Hold]:
        """Return all that an approval at *asking* lets happen, up to the next question."""
        context = {**context, "steps": {**context["steps"], asking.id: APPROVED}}
        found: list[Hold] = []
        for step in _following(self.playbook.steps, asking):
            if step.approval:
                break
            if _may_happen(step, context):
                found += self._foreseen(step, context)
        return found

    def hold(self, step: Step, context: Context) -> Hold | None:
        """Return what *step* would do in *context*; None for an item that its action refuses.

        What holds no subject back is told by the action itself and all that it is given.
        """
        try:
            action = self.action(step, context)
        except ValidationError:
            if step.for_each is None:
                raise
            return None
        return self.held(step, action)

    def held(self, step: Step, action: Action) -> Hold:
        """Return what *action* would do as *step*."""
        seconds = round(self.lasts(step).total_seconds())
        if hold := action.plan():
            return replace(hold, seconds=seconds)
        given = canonical(action.model_dump(mode="json", by_alias=True)).decode()
        return Hold(subject=given, kind=action.name, seconds=seconds)

    def _foreseen(self, step: Step, context: Context) -> list[Hold]:
        try:
            return list(self.planned(step, context).values())
        except (ExpressionError, ValidationError):
            return []  # what cannot be told yet is asked for when it is


def made(kind: type[Action], given: object) -> Action:
    """Return the action *kind* with parameters *given*; raises ValidationError.

    Secrets pass the door of JSON under marks that nobody can guess, and are found by them again.
    """
    hidden: dict[str, Opaque] = {}

    def hide(value: object) -> str:
        if not isinstance(value, Opaque):
            raise TypeError(f"no JSON: {type(value).__name__}")
        mark = token_hex(16)
        hidden[mark] = value
        return mark

    return kind.model_validate_json(orjson.dumps(given, default=hide), context=hidden)


def _following(steps: Sequence[Step], asking: Step) -> Iterator[Step]:
    """Yield the steps that come after *asking* in its own branch, and after what holds it."""
    for place, step in enumerate(steps):
        inside = next((b for b in step.branches() if asking.id in {s.id for s in walk(b)}), None)
        if step.id == asking.id or inside is not None:
            yield from _following(inside, asking) if inside else ()
            yield from _without_handlers(steps[place + 1 :])


def _without_handlers(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for branch in step.branches():
            yield from _without_handlers(branch)


def _may_happen(step: Step, context: Context) -> bool:
    """Return whether *step* is done; what cannot be told yet may happen."""
    try:
        return step.when is None or truth(step.when, context)
    except ExpressionError:
        return True
