"""What the API and the console say about things: rows of the store as JSON values."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session, col, func, select

from soc.incidents import alerts, lifecycle, severity, suppressions
from soc.incidents.backtest import BackTest
from soc.incidents.money import at_risk, at_risk_whole
from soc.model.value import rfc3339
from soc.respond import approvals, labels, ledger
from soc.respond.reconcile import Standing
from soc.store import indicators
from soc.store.tables import (
    Alert,
    AlertEvent,
    Approval,
    Effect,
    Incident,
    IncidentNote,
    Indicator,
    IndicatorList,
    ResponseStop,
    Run,
    Step,
    Suppression,
)
from soc.web import case
from soc.web.paging import newest

Plain = dict[str, Any]


def incident(row: Incident) -> Plain:
    """Return an incident as a list shows it."""
    return {
        "id": f"INC-{row.id}",
        "title": row.title,
        "severity": row.severity,
        "state": row.state,
        "kind": "operations" if row.operations else "security",
        "monitor": row.monitor,
        "owner": row.owner,
        "verdict": row.verdict,
        "note": row.verdict_note,
        "tlp": row.tlp,
        "pap": row.pap,
        "reopened": row.reopened,
        "part_of": f"INC-{row.merged_into}" if row.merged_into else None,
        "first": rfc3339(row.first),
        "created": rfc3339(row.created),
        "changed": rfc3339(row.changed),
        "acknowledged": rfc3339(row.acknowledged) if row.acknowledged else None,
        "resolved": rfc3339(row.resolved) if row.resolved else None,
        "closed": rfc3339(row.closed) if row.closed else None,
        "money": at_risk(row),
    }


def incident_whole(session: Session, number: int, most: int | None = None) -> Plain:
    """Return an incident with all that belongs to it and to what was merged into it.

    most: the newest of each kind alone, as many as a page can show.
    """
    row = lifecycle.get(session, number)
    family = lifecycle.family(session, number)
    runs = newest(session, select(Run).where(col(Run.incident).in_(family)), Run.id, most)
    held = select(Effect).where(col(Effect.incident).in_(family))
    asked = select(Approval).where(col(Approval.incident).in_(family))
    found = select(Alert).where(col(Alert.incident) == number)
    return {
        **incident(row),
        "money": at_risk_whole(session, row),
        "severity_facts": severity.facts(session, number),
        "entities": lifecycle.entities_of(session, number),
        "labels": labels.of_incident(session, number),
        "alerts": [alert(a) for a in newest(session, found, Alert.id, most)],
        "runs": [run(r) for r in runs],
        "effects": [effect(e) for e in newest(session, held, Effect.id, most)],
        "approvals": [approval(session, a) for a in newest(session, asked, Approval.id, most)],
        **case.parts(session, number, family, most),
    }


def counts_of(session: Session, number: int) -> dict[str, int]:
    """Return how many alerts, runs and effects belong to an incident and its parts."""
    family = lifecycle.family(session, number)
    kinds = {"alerts": Alert.incident, "runs": Run.incident, "effects": Effect.incident}
    kinds |= {"notes": IncidentNote.incident}
    return {
        kind: session.exec(select(func.count()).where(col(column).in_(family))).one()
        for kind, column in kinds.items()
    }


def alert(row: Alert) -> Plain:
    """Return an alert as a list shows it."""
    return {
        "id": row.id,
        "rule": row.rule,
        "rule_digest": row.rule_digest,
        "title": row.title,
        "severity": row.severity,
        "entity": row.entity,
        "state": row.state,
        "monitor": row.monitor,
        "count": row.count,
        "first": rfc3339(row.first),
        "last": rfc3339(row.last),
        "created": rfc3339(row.created),
        "incident": f"INC-{row.incident}" if row.incident else None,
        "joined_by": row.joined_by,
        "matched": orjson.loads(row.matched_json),
        "score": row.score,
        "reasons": orjson.loads(row.reasons_json),
        "author": row.author,
        "licence": row.licence,
    }


def alert_whole(session: Session, row: Alert) -> Plain:
    """Return an alert with its entities and the copies of its events."""
    number = row.id or 0
    return {
        **alert(row),
        "entities": alerts.entities_of(session, number),
        "suppressed_by": _suppressed_by(session, number),
        "events": [event(e) for e in alerts.events_of(session, number)],
    }


def event(row: AlertEvent) -> Plain:
    """Return a copied event."""
    return {
        "seq": row.seq,
        "ts": rfc3339(row.ts),
        "source": row.source,
        "digest": row.digest,
        "raw": row.raw,
    }


def run(row: Run) -> Plain:
    """Return a run as a list shows it."""
    return {
        "id": row.id,
        "playbook": row.playbook,
        "kind": row.kind,
        "mode": row.mode,
        "parent": row.parent,
        "digest": row.digest,
        "incident": f"INC-{row.incident}" if row.incident else None,
        "effect": row.effect,
        "state": row.state,
        "reason": row.reason,
        "requested_by": row.requested_by,
        "created": rfc3339(row.created),
        "finished": rfc3339(row.finished) if row.finished else None,
        "wake_at": rfc3339(row.wake_at) if row.wake_at else None,
    }


def run_whole(session: Session, row: Run) -> Plain:
    """Return a run with its journal."""
    steps = session.exec(select(Step).where(col(Step.run) == row.id).order_by(col(Step.order)))
    return {
        **run(row),
        "offered": orjson.loads(row.inputs_json),
        "inputs": orjson.loads(row.parameters_json),
        "outputs": orjson.loads(row.outputs_json or "null"),
        "steps": [step(s) for s in steps],
    }


def step(row: Step) -> Plain:
    """Return one entry of a journal."""
    return {
        "path": row.path,
        "use": row.use,
        "state": row.state,
        "attempt": row.attempt,
        "input": orjson.loads(row.input_json),
        "output": orjson.loads(row.output_json) if row.output_json else None,
        "error": row.error,
        "started": rfc3339(row.started),
        "finished": rfc3339(row.finished) if row.finished else None,
    }


def approval(session: Session, row: Approval) -> Plain:
    """Return a question with the answers so far and exactly what it is about."""
    return {
        "id": row.id,
        "run": row.run,
        "incident": f"INC-{row.incident}" if row.incident else None,
        "step": row.path,
        "ask": row.ask,
        "approvers": orjson.loads(row.approvers_json),
        "need": row.need,
        "four_eyes": row.four_eyes,
        "on_timeout": row.on_timeout,
        "escalated_at": rfc3339(row.escalated) if row.escalated else None,
        "state": row.state,
        "digest": row.digest,
        "plan": orjson.loads(row.plan_json),
        "asked_at": rfc3339(row.asked),
        "expires_at": rfc3339(row.expires),
        "decided_at": rfc3339(row.decided) if row.decided else None,
        "votes": [
            {"person": v.person, "approve": v.approve, "reason": v.reason, "at": rfc3339(v.at)}
            for v in approvals.votes_on(session, row.id or 0)
        ],
    }


def effect(row: Effect) -> Plain:
    """Return what is, was or may come in force: who made it, who agreed, what obeys it."""
    return {
        "id": row.id,
        "run": row.run,
        "step": row.path or None,
        "incident": f"INC-{row.incident}" if row.incident else None,
        "action": row.action,
        "subject": row.subject,
        "kind": row.kind,
        "rate": row.rate,
        "burst": row.burst,
        "parameters": ledger.parameters(row),
        "state": row.state,
        "reason": row.reason,
        "approved_by": orjson.loads(row.approvers_json),
        "active": rfc3339(row.active) if row.active else None,
        "until": rfc3339(row.until) if row.until else None,
        "receipt": row.receipt,
        "verified": rfc3339(row.verified) if row.verified else None,
        "lifted": rfc3339(row.lifted) if row.lifted else None,
        "lifted_by": row.lifted_by,
        "lift_reason": row.lift_reason,
    }


def stop(row: ResponseStop | None) -> Plain | None:
    """Return who stopped all response, when and why; None while it runs."""
    return {"by": row.by, "at": rfc3339(row.at), "reason": row.reason} if row else None


def standing(found: Standing) -> Plain:
    """Return how edges and effects stand to the ledger."""
    return {
        "version": found.version,
        "edges": [
            {
                "name": edge.name,
                "state": "live" if edge.is_live else "silent",
                "version": edge.version,
                "age_s": round(edge.age.total_seconds(), 1),
                "skew_ms": edge.skew_ms,
                "applied": edge.applied,
                "failed": edge.failed,
                "drift": edge.drift,
            }
            for edge in found.edges
        ],
        "effects": [
            {
                "id": effect.id,
                "subject": effect.subject,
                "kind": effect.kind,
                "version": effect.version,
                "verified": rfc3339(effect.verified) if effect.verified else None,
                "waits_for": list(effect.waits_for),
            }
            for effect in found.effects
        ],
        "troubles": [asdict(trouble) for trouble in found.troubles],
    }


def suppression(row: Suppression, now: datetime) -> Plain:
    """Return a suppression as JSON."""
    return {
        "id": f"SUP-{row.id}",
        "rule": row.rule,
        "entity": row.entity,
        "field": row.field,
        "value": row.value,
        "scope": suppressions.scope_in(row).words,
        "owner": row.owner,
        "reason": row.reason,
        "mode": row.mode,
        "state": suppressions.state_of(row, now),
        "created": rfc3339(row.created),
        "created_by": row.created_by,
        "until": rfc3339(row.until),
        "ended": rfc3339(row.ended) if row.ended else None,
        "ended_by": row.ended_by,
        "end_reason": row.end_reason,
        "findings": row.findings,
        "alerts": row.alerts,
        "last_hit": rfc3339(row.last_hit) if row.last_hit else None,
        "backtest": orjson.loads(row.backtest_json),
    }


def back_test(found: BackTest) -> Plain:
    """Return a back-test as JSON, with its sentence."""
    return {**found.model_dump(mode="json"), "words": found.words}


def _suppressed_by(looking: Session, alert: int) -> list[Plain]:
    """Return what hid an alert, or would have."""
    return [
        {
            "id": f"SUP-{row.id}",
            "mode": row.mode,
            "reason": row.reason,
            "until": rfc3339(row.until),
            "findings": hit.findings,
        }
        for row, hit in suppressions.of_alert(looking, alert)
    ]


def indicator_list(row: IndicatorList) -> Plain:
    """Return a list as JSON."""
    return {
        "name": row.name,
        "owner": row.owner,
        "source": row.source,
        "version": row.version,
        "digest": row.digest,
        "imported": rfc3339(row.imported),
        "imported_by": row.imported_by,
    }


def indicator(row: Indicator) -> Plain:
    """Return an entry of a list as JSON."""
    return {
        "kind": row.kind,
        "value": row.value,
        "entity": row.subject,
        "confidence": row.confidence,
        "label": row.label,
        "expires": rfc3339(row.expires) if row.expires else None,
        "added": rfc3339(row.added),
    }


def counted(looking: Session, items: list[Plain], now: datetime) -> list[Plain]:
    """Return *items*, lists, each with its entries and how many of them have expired."""
    names = [item["name"] for item in items]
    query = select(Indicator.list, func.count()).where(col(Indicator.list).in_(names))
    every = dict(looking.exec(query.group_by(col(Indicator.list))).all())
    live = {name: number for name, _, number in indicators.standing(looking, now)}
    return [
        {
            **item,
            "entries": every.get(item["name"], 0),
            "expired": every.get(item["name"], 0) - live.get(item["name"], 0),
        }
        for item in items
    ]


def with_labels(looking: Session, found: Plain, now: datetime) -> Plain:
    """Return *found*, an incident or alert, with what lists say of its entities as labels."""
    told = indicators.labels_of(looking, found["entities"], now)
    given = found.get("labels", {})
    names = sorted({*told, *given})
    return {**found, "labels": {n: [*given.get(n, ()), *told.get(n, ())] for n in names}}
