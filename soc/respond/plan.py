"""Outline a playbook on an incident: the dry run. No action's ``run`` or ``undo`` is entered."""

from collections.abc import Mapping
from typing import Any

from soc.content.digest import digest_of
from soc.content.kinds import duration_text
from soc.respond.action import Action, Hold
from soc.respond.expression import render, truth
from soc.respond.guard import NeedsApproval, decide, is_protected
from soc.respond.playbook import Playbook, Step
from soc.respond.steps import holds_after, holds_of
from soc.settings import Respond


def outline(
    playbook: Playbook,
    incident: Mapping[str, Any],
    actions: Mapping[str, type[Action]],
    policy: Respond,
) -> dict[str, Any]:
    """Return the steps in order, with what each would put in force and who would be asked.

    Approvals are taken as given. The digest is that of the effects alone.
    """
    outputs: dict[str, Any] = {}
    agreed: list[Hold] = []
    steps: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    approvals: list[dict[str, Any]] = []
    for step in playbook.steps:
        context = {
            "incident": incident,
            "steps": outputs,
            "run": {"id": 0, "playbook": playbook.name},
        }
        if step.when and not truth(step.when, context):
            steps.append(_line(step, 0, "skip", f"when is false: {step.when}"))
            outputs[step.id] = {"skipped": True}
        elif step.approval:
            ask = str(render(step.approval.ask, context))
            approvals.append(
                {"step": step.id, "ask": ask, "approvers": list(step.approval.approvers)}
            )
            steps.append(_line(step, 0, "ask", ask))
            outputs[step.id] = {"approved": True, "state": "approved", "by": []}
            agreed += holds_after(playbook, step, context, actions)
        else:
            holds = holds_of(step, context, actions)
            kind = actions[step.use or ""]
            decision = decide(
                kind.risk, holds, policy, agreed, {effect["subject"] for effect in effects}
            )
            asks = isinstance(decision, NeedsApproval)
            steps.append(_line(step, len(holds), "ask" if asks else "do", decision.why))
            ttl = policy.ttl.get(f"{playbook.name}/{step.id}", step.ttl)
            effects += [
                _effect(step, hold, duration_text(ttl) if ttl else None, policy) for hold in holds
            ]
            outputs[step.id] = {}
    wallets = sorted(
        {e["subject"].partition(":")[2] for e in effects if e["subject"].startswith("wallet:")}
    )
    return {
        "playbook": playbook.name,
        "digest": digest_of({"playbook": playbook.digest, "effects": effects}),
        "steps": steps,
        "effects": effects,
        "approvals": approvals,
        "wallets": wallets,
    }


def _line(step: Step, subjects: int, decision: str, why: str) -> dict[str, Any]:
    use = step.use or "approval"
    return {"step": step.id, "use": use, "subjects": subjects, "decision": decision, "why": why}


def _effect(step: Step, hold: Hold, ttl: str | None, policy: Respond) -> dict[str, Any]:
    return {
        "step": step.id,
        "subject": hold.subject,
        "kind": hold.kind,
        "rate": hold.rate,
        "burst": hold.burst,
        "ttl": ttl,
        "refused": "protected" if is_protected(hold.subject, policy) else None,
    }
