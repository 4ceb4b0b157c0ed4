"""Threat models as people write them: risks, the ways to them, controls, and their evidence."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from soc.content.digest import digest_of
from soc.content.document import Document, did_you_mean
from soc.content.kinds import Described, Duration, load
from soc.model.value import Slug, Value
from soc.threats.scale import ControlType, Proof

LONGEST = timedelta(days=365)
"""What is older proves nothing, and what is accepted for longer is forgotten."""

Band = Annotated[int, Field(ge=1, le=5)]
RiskId = Annotated[str, Field(pattern=r"^R[1-9][0-9]{0,2}$")]
ControlId = Annotated[str, Field(pattern=r"^C-[A-Z0-9]+(-[A-Z0-9]+)*$")]
Technique = Annotated[str, Field(pattern=r"^(T[0-9]{4}|ADT[0-9]{4})(\.[0-9]{3})?$")]
Reason = Annotated[str, Field(min_length=8)]


class Stride(StrEnum):
    """What kind of harm a risk is, in the words of STRIDE."""

    SPOOFING = "spoofing"
    TAMPERING = "tampering"
    REPUDIATION = "repudiation"
    DISCLOSURE = "disclosure"
    DENIAL = "denial"
    ELEVATION = "elevation"


class Decision(StrEnum):
    """What was decided about a risk.

    mitigate: controls make it smaller. accept: it is taken. transfer: somebody else bears it.
    avoid: what causes it is not done.
    """

    MITIGATE = "mitigate"
    ACCEPT = "accept"
    TRANSFER = "transfer"
    AVOID = "avoid"


@dataclass(frozen=True, slots=True)
class Known:
    """What a model may refer to.

    things: the names there are, by what they are (rule, playbook, setting, retention); what is not
    listed here is not checked. kinds: what each kind of evidence is about and proves at most.
    """

    kinds: Mapping[str, "KindOfEvidence"]
    things: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KindOfEvidence:
    """What one kind of evidence is about (as in Known.things, or nothing) and proves at most."""

    about: str
    proof: Proof


class Expect(Value):
    """What a setting must be."""

    one_of: tuple[str, ...] = ()
    at_most: int | None = None


class Evidence(Value):
    """What would show that a control works.

    ref: of what, such as a rule. proof (``class``): how much it may prove here, at most what its
    kind can; none means that it must hold and proves nothing. by, on, says: of an attestation.
    """

    kind: str
    ref: Annotated[str, Field(validate_default=True)] = ""
    proof: Annotated[Proof | None, Field(alias="class")] = None
    max_age: Duration
    required: bool = True
    expect: Expect | None = None
    by: str = ""
    on: date | None = None
    says: str = ""

    @field_validator("kind")
    @classmethod
    def _must_be_a_kind(cls, kind: str, info: ValidationInfo) -> str:
        kinds = _known(info).kinds
        if kind not in kinds:
            raise ValueError(f"no kind of evidence {kind!r}: {did_you_mean(kind, kinds)}")
        return kind

    @field_validator("ref")
    @classmethod
    def _must_exist(cls, ref: str, info: ValidationInfo) -> str:
        known = _known(info)
        about = known.kinds[info.data["kind"]].about if info.data.get("kind") else ""
        if about and not ref:
            raise ValueError(f"say which {about}")
        return _refer(ref, about, known.things) if about else ref

    @field_validator("proof")
    @classmethod
    def _must_not_claim_more(cls, proof: Proof | None, info: ValidationInfo) -> Proof | None:
        kind = _known(info).kinds.get(info.data.get("kind", ""))
        if proof and kind and proof.rank > kind.proof.rank:
            raise ValueError(f"{info.data['kind']} proves {kind.proof} at most")
        return proof

    @field_validator("max_age")
    @classmethod
    def _must_not_last(cls, max_age: timedelta) -> timedelta:
        if max_age > LONGEST:
            raise ValueError("evidence older than 365d proves nothing")
        return max_age


class Pause(Value):
    """Why a control does not count, and until when."""

    reason: Reason
    until: date


class Strength(Value):
    """How good a control is by design, from 0 to 1: a judgement, give or take scale.BAND."""

    s: Annotated[float, Field(gt=0, le=1)]
    why: str


class Control(Value):
    """Something that makes a risk smaller, if it works. gap: why there is none of it yet."""

    id: ControlId
    type: ControlType
    statement: str
    strength: Strength
    evidence: tuple[Evidence, ...] = ()
    gap: Reason | None = None
    suspended: Pause | None = None
    not_applicable: Pause | None = None

    @field_validator("id")
    @classmethod
    def _must_be_one(cls, name: str, info: ValidationInfo) -> str:
        return _once(name, "controls", info)

    @model_validator(mode="after")
    def _must_be_shown(self) -> Self:
        if self.gap and self.evidence:
            raise ValueError("a control has evidence or a gap, not both")
        if not self.gap and not any(one.required for one in self.evidence):
            raise ValueError("neither required evidence nor a gap: say what shows it, or why not")
        return self


class Step(Value):
    """One thing that an attacker does, and what stands against it."""

    does: str
    techniques: tuple[Technique, ...] = ()
    controls: tuple[ControlId, ...] = ()
    gap: Reason | None = None

    @field_validator("controls")
    @classmethod
    def _must_exist(cls, controls: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return _all_known(controls, "controls", "control", info)

    @model_validator(mode="after")
    def _must_be_answered(self) -> Self:
        if not self.controls and not self.gap:
            raise ValueError("neither a control nor a gap: say what stands against it, or why not")
        return self


class AttackPath(Value):
    """One way to the harm, step by step."""

    id: Annotated[str, Field(pattern=r"^R[1-9][0-9]{0,2}\.[a-z]$")]
    title: str
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class Inherent(Value):
    """How bad it is without any control, and what happened elsewhere that says so."""

    likelihood: Band
    why_likelihood: Reason
    impact: Band
    why_impact: Reason
    incidents: Annotated[tuple[Slug, ...], Field(min_length=1)]

    @field_validator("incidents")
    @classmethod
    def _must_exist(cls, incidents: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return _all_known(incidents, "incidents", "incident", info)

    @property
    def score(self) -> int:
        """Return likelihood times impact."""
        return self.likelihood * self.impact


class Treatment(Value):
    """What was decided, by which role, and when."""

    decision: Decision
    owner: str
    decided: date


class Acceptance(Value):
    """That somebody takes what is left of a risk, for a time."""

    by: str
    on: date
    until: date
    reason: Reason

    @model_validator(mode="after")
    def _must_end(self) -> Self:
        if not self.on < self.until <= self.on + LONGEST:
            raise ValueError("until: at most 365 days after on")
        return self


class Risk(Value):
    """One harm, the ways to it, and the controls against it. watch: not among the top five."""

    id: RiskId
    title: str
    watch: bool = False
    stride: Annotated[tuple[Stride, ...], Field(min_length=1)]
    inherent: Inherent
    paths: Annotated[tuple[AttackPath, ...], Field(min_length=1)]
    controls: tuple[ControlId, ...]
    treatment: Treatment
    acceptance: Acceptance | None = None
    retention: tuple[str, ...] = ()
    frameworks: Mapping[str, tuple[str, ...]] = {}

    @field_validator("id")
    @classmethod
    def _must_be_one(cls, name: str, info: ValidationInfo) -> str:
        return _once(name, "risks", info)

    @field_validator("controls")
    @classmethod
    def _must_exist(cls, controls: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return _all_known(controls, "controls", "control", info)

    @field_validator("retention")
    @classmethod
    def _must_be_classes(cls, classes: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(_refer(name, "retention", _known(info).things) for name in classes)

    @model_validator(mode="after")
    def _must_list_its_controls(self) -> Self:
        steps = [step for path in self.paths for step in path.steps]
        used = {name for step in steps for name in step.controls}
        if beyond := sorted(used - set(self.controls)):
            raise ValueError(f"a step names {beyond[0]}, which is not among controls")
        return self


class PublicIncident(Value):
    """Something that happened to others, where it can be read, and when somebody last did.

    happened: as far as it is known, to the day, month or year.
    """

    id: Slug
    happened: Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
    url: Annotated[str, Field(pattern=r"^https://[^\s\"'<>]+$")] | None = None
    checked: date | None = None
    claim: str

    @field_validator("id")
    @classmethod
    def _must_be_one(cls, name: str, info: ValidationInfo) -> str:
        return _once(name, "incidents", info)


class ThreatModel(Described):
    """What may go wrong with one kind of platform."""

    layout: Annotated[Literal["commonwatch.threat-model/1"], Field(alias="schema")]
    name: Annotated[Slug, Field(alias="model")]
    version: Annotated[int, Field(ge=1)]
    not_covered: tuple[str, ...] = ()
    risks: Annotated[tuple[Risk, ...], Field(min_length=1)]
    controls: tuple[Control, ...]
    incidents: tuple[PublicIncident, ...]

    @model_validator(mode="after")
    def _must_be_joined(self) -> Self:
        used = {name for risk in self.risks for name in risk.controls}
        if alone := sorted({control.id for control in self.controls} - used):
            raise ValueError(f"no risk names control {alone[0]}")
        return self

    @property
    def digest(self) -> str:
        """Return the hash of what it says."""
        return digest_of(self.model_dump(mode="json", by_alias=True))

    def control(self, name: str) -> Control:
        """Return the control called *name*; it exists, or the model would not."""
        return next(control for control in self.controls if control.id == name)

    def ranked(self) -> list[Risk]:
        """Return the risks, the top ones first; ties by impact, then by number of incidents."""
        return sorted(
            self.risks,
            key=lambda risk: (
                risk.watch,
                -risk.inherent.score,
                -risk.inherent.impact,
                -len(risk.inherent.incidents),
                risk.id,
            ),
        )


def read(path: Path, known: Known) -> ThreatModel:
    """Return the model in *path*; raises ContentError with all its mistakes."""
    plain = Document(path).plain
    ids = {key: Counter(_ids(plain, key)) for key in ("risks", "controls", "incidents")}
    return load(path, ThreatModel, {"known": known, **ids})


def _ids(plain: object, key: str) -> Iterator[str]:
    """Yield the ids in one list of a file that is not checked yet."""
    listed: Any = plain.get(key) if isinstance(plain, dict) else None
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            yield str(item.get("id"))


def _known(info: ValidationInfo) -> Known:
    known: Known = (info.context or {})["known"]
    return known


def _once(name: str, key: str, info: ValidationInfo) -> str:
    if (info.context or {})[key][name] > 1:
        raise ValueError(f"{name} is here twice")
    return name


def _all_known(
    names: tuple[str, ...], key: str, what: str, info: ValidationInfo
) -> tuple[str, ...]:
    for name in names:
        if name not in (ids := (info.context or {})[key]):
            raise ValueError(f"no {what} {name!r}: {did_you_mean(name, ids)}")
    return names


def _refer(name: str, about: str, things: Mapping[str, Iterable[str]]) -> str:
    if about in things and name not in things[about]:
        what = "class of retention" if about == "retention" else about
        raise ValueError(f"no {what} {name!r}: {did_you_mean(name, things[about])}")
    return name
