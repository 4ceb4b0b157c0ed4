"""Outline a playbook on an incident: the dry run. No action's ``run`` or ``undo`` is entered."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from soc.content.digest import digest_of
from soc.content.kinds import duration_text
from soc.respond.action import Hold
from soc.respond.expression import render, truth
from soc.respond.guard import NeedsApproval, decide
from soc.respond.playbook import Step
from soc.respond.steps import APPROVED, Steps


def outline(steps: Steps, incident: Mapping[str, Any]) -> dict[str, Any]:
    """Return the steps in order, with what each would put in force and who would be asked.

    Approvals are taken as given. The digest is that of the playbook and its effects.
    """
    name = steps.playbook.name
    outputs: dict[str, Any] = {}
    agreed: list[Hold] = []
    lines: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    approvals: list[dict[str, Any]] = []
    for step in steps.playbook.steps:
        context = {"incident": incident, "steps": outputs, "run": {"id": 0, "playbook": name}}
        if step.when and not truth(step.when, context):
            lines.append(_line(step, 0, "skip", f"when is false: {step.when}"))
            outputs[step.id] = {"skipped": True}
        elif step.approval:
            ask = str(render(step.approval.ask, context))
            asked = {"step": step.id, "ask": ask, "approvers": list(step.approval.approvers)}
            approvals.append(asked)
            lines.append(_line(step, 0, "ask", ask))
            agreed += steps.holds_after(step, context)
            outputs[step.id] = APPROVED
        else:
            holds = list(steps.planned(step, context).values())
            held = {effect["subject"] for effect in effects}
            decision = decide(steps.kind(step).risk, holds, steps.policy, agreed, held)
            asks = bool(holds) and isinstance(decision, NeedsApproval)
            lines.append(_line(step, len(holds), "ask" if asks else "do", decision.why))
            effects += [_effect(step, hold) for hold in holds]
            outputs[step.id] = {}
    subjects = {effect["subject"] for effect in effects}
    return {
        "playbook": name,
        "digest": digest_of({"playbook": steps.playbook.digest, "effects": effects}),
        "steps": lines,
        "effects": effects,
        "approvals": approvals,
        "wallets": sorted(s.removeprefix("wallet:") for s in subjects if s.startswith("wallet:")),
    }


def _line(step: Step, subjects: int, decision: str, why: str) -> dict[str, Any]:
    use = step.use or "approval"
    return {"step": step.id, "use": use, "subjects": subjects, "decision": decision, "why": why}


def _effect(step: Step, hold: Hold) -> dict[str, Any]:
    ttl = duration_text(timedelta(seconds=hold.seconds))
    return {"step": step.id, **asdict(hold), "ttl": ttl}
