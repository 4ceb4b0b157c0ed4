"""Evidence about rules: that one may act, passed its tests, and has fired."""

from sqlmodel import col, or_, select

from soc.content.digest import digest_of
from soc.incidents.alerts import AlertState
from soc.incidents.lifecycle import Verdict
from soc.model.value import rfc3339
from soc.store.tables import Alert, AuditRow, DetectorWindow, Incident, RuleState
from soc.threats.evidence.look import Observation, Sight
from soc.threats.model import Evidence
from soc.threats.scale import Proof
from soc.threats.words import withheld

ACTIVE = "active"
SWITCHES = ("rule.active", "rule.monitor", "rule.disabled")
NO_PROOF = (Verdict.FALSE_POSITIVE, Verdict.INSUFFICIENT_DATA, Verdict.DUPLICATE)
"""Verdicts by which an alert does not show that its rule works."""


class Enabled:
    """The rule is loaded and on, its detector runs, and no sample of it failed last."""

    kind, about, proof = "rule.enabled", "rule", Proof.E1

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the mode of the rule; any but active is a failure."""
        if sight.alive is None:
            return None
        loaded = sight.rules.get(asked.ref)
        if loaded is None:
            return _mode(sight, asked.ref, "missing", "it is not among the loaded rules")
        mode, why = _switched(sight, asked.ref) or (loaded.mode, "by its folder")
        if mode != ACTIVE:
            return _mode(sight, asked.ref, mode, why)
        tested = newest_test(asked.ref, sight)
        if tested and tested.outcome != "done":
            return _mode(sight, asked.ref, "broken", "its samples fail")
        window = sight.session.get(DetectorWindow, loaded.detector)
        if window and window.failure and window.failed and window.failed <= sight.now:
            return _mode(sight, asked.ref, "blind", f"detector {loaded.detector} fails")
        return _mode(sight, asked.ref, ACTIVE, loaded.digest or "no digest")


class Tested:
    """The samples of the rule were run, as ``soc rules test`` records it."""

    kind, about, proof = "rule.test", "rule", Proof.E2

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the outcome of the newest test."""
        row = newest_test(asked.ref, sight)
        if row is None:
            return None
        return Observation(
            value=row.outcome,
            at=row.at,
            digest=f"sha256:{row.hash}",
            words=f"samples of {asked.ref}: {row.outcome}",
            failing=row.outcome != "done",
        )


class Fired:
    """The rule made an alert that stands, in real operation."""

    kind, about, proof = "rule.fired", "rule", Proof.E3

    def observe(self, asked: Evidence, sight: Sight) -> Observation | None:
        """Return the newest alert; one of an earlier version proves as much as a test."""
        decided = col(Incident.verdict).in_(NO_PROOF) & (col(Incident.closed) <= sight.now)
        query = (
            select(Alert)
            .join(Incident, col(Alert.incident) == col(Incident.id), isouter=True)
            .where(
                col(Alert.rule) == asked.ref,
                col(Alert.created) <= sight.now,
                col(Alert.monitor).is_(False),
                col(Alert.state) != AlertState.RETRACTED,
                or_(col(Incident.verdict).is_(None), ~decided),
            )
            .order_by(col(Alert.created).desc(), col(Alert.id).desc())
        )
        alert = sight.session.exec(query).first()
        if alert is None:
            return None
        loaded = sight.rules.get(asked.ref)
        is_earlier = bool(loaded and loaded.digest and loaded.digest != alert.rule_digest)
        seen = {"alert": alert.key, "rule": alert.rule_digest, "at": rfc3339(alert.created)}
        return Observation(
            value=f"ALT-{alert.id}",
            at=alert.created,
            digest=digest_of(seen),
            words=f"{asked.ref} fired{', in an earlier version' if is_earlier else ''}",
            proof=Proof.E2 if is_earlier else None,
        )


def newest_test(rule: str, sight: Sight) -> AuditRow | None:
    """Return what ``soc rules test`` recorded last about *rule*."""
    query = select(AuditRow).where(
        col(AuditRow.action) == "rules.test",
        col(AuditRow.object) == f"rule:{rule}",
        col(AuditRow.at) <= sight.now,
    )
    newest = query.order_by(col(AuditRow.at).desc(), col(AuditRow.id).desc())
    return sight.session.exec(newest.limit(1)).first()


def _switched(sight: Sight, rule: str) -> tuple[str, str] | None:
    """Return the mode that a person put *rule* into, and why; None if nobody did."""
    state = sight.session.get(RuleState, rule)
    if state is None:
        return None
    if state.at <= sight.now:
        is_over = state.until is not None and state.until <= sight.now
        return None if is_over else (state.mode, withheld(state.reason))
    query = select(AuditRow).where(
        col(AuditRow.action).in_(SWITCHES),
        col(AuditRow.object) == f"rule:{rule}",
        col(AuditRow.at) <= sight.now,
    )
    earlier = sight.session.exec(query.order_by(col(AuditRow.at).desc())).first()
    return (earlier.action.removeprefix("rule."), "as of then") if earlier else None


def _mode(sight: Sight, rule: str, mode: str, why: str) -> Observation:
    assert sight.alive is not None  # noqa: S101 - who has seen nothing does not get here
    return Observation(
        value=mode,
        at=sight.alive,
        digest=digest_of({"rule": rule, "mode": mode, "why": why}),
        words=f"{rule} is {mode}" + (f": {why}" if mode != ACTIVE else ""),
        failing=mode != ACTIVE,
    )
