"""Weigh a threat model against what was observed: the status of controls, and what risk is left."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum

from soc.content.digest import digest_of
from soc.content.kinds import Duration
from soc.model.value import Utc, Value
from soc.threats import scale
from soc.threats.evidence.look import Observation
from soc.threats.model import Acceptance, Control, Evidence, KindOfEvidence, Risk, Step, ThreatModel
from soc.threats.scale import BAND, Part, Proof, Weighed

Observe = Callable[[Evidence], Observation | None]


class Status(StrEnum):
    """What is known of a control.

    proven: exercised. operating: observed at work. tested, configured, asserted: no more than
    that. stale: what was seen is too old. failing: what was seen last is a failure. unproven:
    nothing was seen. suspended, not_applicable: by decision, for a time.
    """

    PROVEN = "proven"
    OPERATING = "operating"
    TESTED = "tested"
    CONFIGURED = "configured"
    ASSERTED = "asserted"
    STALE = "stale"
    FAILING = "failing"
    UNPROVEN = "unproven"
    SUSPENDED = "suspended"
    NOT_APPLICABLE = "not_applicable"


BY_PROOF: Mapping[Proof, Status] = {
    Proof.E4: Status.PROVEN,
    Proof.E3: Status.OPERATING,
    Proof.E2: Status.TESTED,
    Proof.E1: Status.CONFIGURED,
    Proof.E0: Status.ASSERTED,
    Proof.NONE: Status.UNPROVEN,
}


class Seen(Value):
    """One piece of evidence that a model asks for, and what was seen of it.

    proof: what it proves as it is. state: fresh, stale, expired, failing or missing.
    """

    kind: str
    ref: str
    proof: Proof
    required: bool
    max_age: Duration
    state: str
    freshness: float
    observation: Observation | None


class ControlResult(Value):
    """One control as it stands. operation: how much of it operates; effect: times its strength."""

    id: str
    type: scale.ControlType
    statement: str
    strength: float
    status: Status
    why: str
    operation: float
    effect: float
    gap: str | None
    evidence: tuple[Seen, ...]


class Left(Value):
    """What is left of a risk; low and high: if every strength were better or worse than judged."""

    likelihood: float
    impact: float
    score: float
    low: float
    high: float
    detects: float
    responds: float
    corrects: float


class RiskResult(Value):
    """One risk as it stands. gaps: steps and controls with nothing real; bare: there are only gaps.

    accepted: what is left is taken, until a day that has not come. lapsed: that day is over.
    """

    id: str
    title: str
    watch: bool
    inherent: float
    likelihood: int
    impact: int
    residual: Left
    gaps: int
    bare: bool
    accepted: bool
    lapsed: bool
    controls: tuple[str, ...]


class Counts(Value):
    """The figures of the first page, the worst first; of the top risks, but statuses are of all."""

    bare_risks: int
    gaps: int
    risks: int
    steps: int
    watched: int
    statuses: dict[str, int]


class Assessment(Value):
    """A model as it stood at one moment. evidence: hash over everything that was observed."""

    as_of: Utc
    model: ThreatModel
    counts: Counts
    risks: tuple[RiskResult, ...]
    controls: tuple[ControlResult, ...]
    evidence: str


def assess(
    model: ThreatModel, kinds: Mapping[str, KindOfEvidence], observe: Observe, as_of: datetime
) -> Assessment:
    """Return how *model* stands at *as_of*, given what *observe* sees."""
    controls = {
        one.id: _control(one, tuple(_see(e, kinds, observe, as_of) for e in one.evidence), as_of)
        for one in model.controls
    }
    risks = tuple(_risk(risk, controls, as_of) for risk in model.ranked())
    top = [risk for risk in risks if not risk.watch]
    seen = [one.model_dump(mode="json") for c in controls.values() for one in c.evidence]
    statuses = [control.status for control in controls.values()]
    counts = Counts(
        risks=len(top),
        bare_risks=sum(risk.bare for risk in top),
        gaps=sum(risk.gaps for risk in top),
        steps=sum(len(p.steps) for r in model.risks if not r.watch for p in r.paths),
        watched=len(risks) - len(top),
        statuses={str(status): statuses.count(status) for status in Status},
    )
    return Assessment(
        as_of=as_of,
        model=model,
        counts=counts,
        risks=risks,
        controls=tuple(controls[name] for name in sorted(controls)),
        evidence=digest_of(seen),
    )


def _control(control: Control, seen: tuple[Seen, ...], as_of: datetime) -> ControlResult:
    weighed = [_weigh(one) for one in seen]
    status, why = _status(control, seen, as_of)
    counts = status not in {Status.SUSPENDED, Status.NOT_APPLICABLE}
    operates = scale.operation(weighed) if counts else 0.0
    return ControlResult(
        id=control.id,
        type=control.type,
        statement=control.statement,
        strength=control.strength.s,
        status=status,
        why=why,
        operation=round(operates, 6),
        effect=round(control.strength.s * operates, 6),
        gap=control.gap,
        evidence=seen,
    )


def _see(
    evidence: Evidence, kinds: Mapping[str, KindOfEvidence], observe: Observe, as_of: datetime
) -> Seen:
    found = observe(evidence)
    fresh = scale.freshness(as_of - found.at, evidence.max_age) if found else 0.0
    if found is None:
        state = "missing"
    elif found.failing:
        state = "failing"
    else:
        state = "fresh" if fresh >= 1 else "stale" if fresh else "expired"
    claims = (kinds[evidence.kind].proof, evidence.proof, found.proof if found else None)
    proof = min((claim for claim in claims if claim), key=lambda one: one.rank)
    return Seen(
        kind=evidence.kind,
        ref=evidence.ref,
        proof=proof,
        required=evidence.required,
        max_age=evidence.max_age,
        state=state,
        freshness=fresh,
        observation=found,
    )


def _weigh(one: Seen) -> Weighed:
    return Weighed(one.proof, one.freshness, one.required, one.state == "failing")


def _status(control: Control, seen: Iterable[Seen], as_of: datetime) -> tuple[Status, str]:
    """Return the status of *control* and why, in words."""
    pieces = list(seen)
    for status, pause in (
        (Status.NOT_APPLICABLE, control.not_applicable),
        (Status.SUSPENDED, control.suspended),
    ):
        if pause and as_of < _end(pause.until):
            return status, f"until {pause.until.isoformat()}: {pause.reason}"
    if control.gap:
        return Status.UNPROVEN, f"gap: {control.gap}"
    needed = [one for one in pieces if one.required]
    if failing := [one for one in needed if one.state == "failing"]:
        return Status.FAILING, _words(failing)
    best = scale.best_class(map(_weigh, pieces))
    lacking = [one for one in needed if one.state in {"missing", "expired"}]
    if best is Proof.NONE:
        return Status.UNPROVEN, _words(lacking) or "nothing was seen"
    if stale := [one for one in needed if one.state == "stale"]:
        return Status.STALE, _words(stale)
    return BY_PROOF[best], _words(lacking)


def _words(pieces: Iterable[Seen]) -> str:
    told = [
        f"{one.kind}{f' of {one.ref}' if one.ref else ''} is {one.state}"
        + (f" ({one.observation.words})" if one.observation and one.state == "failing" else "")
        for one in pieces
    ]
    return "; ".join(told)


def _risk(risk: Risk, controls: Mapping[str, ControlResult], as_of: datetime) -> RiskResult:
    mine = [controls[name] for name in risk.controls]
    parts = [Part(one.type, one.strength, one.operation) for one in mine]
    inherent = risk.inherent
    left = scale.residual(inherent.likelihood, inherent.impact, parts)
    low, high = (
        scale.residual(inherent.likelihood, inherent.impact, scale.shifted(parts, by)).score
        for by in (BAND, -BAND)
    )
    steps = [step for path in risk.paths for step in path.steps]
    open_steps = sum(_is_open(step, controls) for step in steps)
    return RiskResult(
        id=risk.id,
        title=risk.title,
        watch=risk.watch,
        inherent=inherent.score,
        likelihood=inherent.likelihood,
        impact=inherent.impact,
        residual=Left(
            likelihood=round(left.likelihood, 4),
            impact=round(left.impact, 4),
            score=left.score,
            low=low,
            high=high,
            detects=round(left.detects, 4),
            responds=round(left.responds, 4),
            corrects=round(left.corrects, 4),
        ),
        gaps=open_steps + sum(one.gap is not None for one in mine),
        bare=all(one.gap is not None for one in mine),
        accepted=_accepts(risk.acceptance, as_of),
        lapsed=risk.acceptance is not None and as_of >= _end(risk.acceptance.until),
        controls=risk.controls,
    )


def _is_open(step: Step, controls: Mapping[str, ControlResult]) -> bool:
    return bool(step.gap) or all(controls[name].gap is not None for name in step.controls)


def _accepts(acceptance: Acceptance | None, as_of: datetime) -> bool:
    if acceptance is None:
        return False
    return datetime.combine(acceptance.on, time(), UTC) <= as_of < _end(acceptance.until)


def _end(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
