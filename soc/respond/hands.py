"""How actions are done: really, or not at all."""

from collections.abc import Mapping

from soc.respond.action import Action, Repeat, Risk
from soc.respond.step import Step
from soc.respond.turn import Turn
from soc.respond.world import LocalWorld, OutsideWorld, key_of


class LiveHands:
    """Do them: what is local commits with its step, all else is performed outside."""

    def is_inline(self, action: Action) -> bool:
        """Return whether *action* commits with its step."""
        return action.repeat is Repeat.LOCAL

    def perform(self, turn: Turn, step: Step, path: str, action: Action) -> Mapping[str, object]:
        """Do a local action."""
        until = turn.now + turn.steps.lasts(step) if step.ttl else None
        world = LocalWorld(
            turn.session,
            turn.run,
            path,
            action.name,
            until,
            turn.now,
            asked=bool(turn.agreed),
            evidence=turn.means.evidence,
        )
        return action.run(world)


class DryHands:
    """Do nothing: no ``undo`` is ever entered, and ``run`` of actions alone that look inside."""

    def is_inline(self, action: Action) -> bool:
        """Return True: nothing is performed, so nothing is performed outside."""
        return action is not None

    def perform(self, turn: Turn, step: Step, path: str, action: Action) -> Mapping[str, object]:
        """Return what the action would say, as far as that can be told."""
        _ = step
        if action.looks_inside and action.risk is Risk.READ and turn.means.search:
            key, search = key_of(turn.run, path), turn.means.search
            return action.run(OutsideWorld(key, turn.means.notifier, turn.now, search=search))
        return action.outcome()
