"""How much of a playbook its tests reach: its steps, and both ways out of each of its choices."""

import orjson
from sqlmodel import Session, col, select

from soc.respond.playbook import Playbook
from soc.respond.step import OnFailure, Step
from soc.store.tables import Step as Row

Choice = tuple[str, str]


class Coverage:
    """What the runs of a playbook's tests went through."""

    def __init__(self, playbook: Playbook) -> None:
        self.playbook = playbook.name
        self._steps = {step.id: step for step in playbook.every_step()}
        self._choices = [choice for step in self._steps.values() for choice in _choices(step)]
        self._reached: set[str] = set()
        self._taken: set[Choice] = set()

    def add(self, looking: Session, run: int) -> None:
        """Count what *run* went through."""
        for row in looking.exec(select(Row).where(col(Row.run) == run)):
            step = self._steps.get(row.path)
            if step is None:
                continue
            output = orjson.loads(row.output_json or "null")
            was_skipped = row.state == "skipped"
            if not was_skipped:
                self._reached.add(step.id)
            self._taken |= set(_took(step, row.state, output))

    def plain(self) -> dict[str, object]:
        """Return it as JSON values."""
        unreached = [f"{id_}: never done" for id_ in self._steps if id_ not in self._reached]
        untaken = [
            f"{id_}: never {way}" for id_, way in self._choices if (id_, way) not in self._taken
        ]
        return {
            "playbook": self.playbook,
            "steps": len(self._steps),
            "steps_reached": len(self._steps) - len(unreached),
            "branches": len(self._choices),
            "branches_taken": len(self._choices) - len(untaken),
            "missed": [*unreached, *untaken],
        }


def _choices(step: Step) -> list[Choice]:
    ways = ["true", "false"] if step.when else []
    ways += ["approved", "not approved"] if step.approval else []
    ways += [] if step.on_failure is OnFailure.STOP else ["failed"]
    return [(step.id, way) for way in ways]


def _took(step: Step, state: str, output: object) -> list[Choice]:
    if state == "skipped":
        return [(step.id, "false")] if step.when else []
    ways = ["true"]
    if step.approval and isinstance(output, dict):
        ways.append("approved" if output.get("approved") else "not approved")
    if state == "failed":
        ways.append("failed")
    return [(step.id, way) for way in ways]
