"""The rows of response: playbooks, runs, questions, effects, edges, messages."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from soc.store.columns import moment, number, text


class PlaybookVersion(SQLModel, table=True):
    """A playbook as it was when a run began; a run never changes its version."""

    __tablename__ = "playbook_version"

    digest: str = Field(primary_key=True)
    slug: str
    version: int = number()
    content_json: str = text()
    seen: datetime = moment()
    author: str | None = None
    signer: str | None = None
    signature: str | None = text(default=None)


class Run(SQLModel, table=True):
    """One execution of a playbook, or the undo of effects.

    mode: live or dry_run. inputs_json: what ``incident`` offers its expressions; of an undo, the
    effects in their order. parameters_json: what ``inputs`` offers. parent, parent_path: the step
    that started it. wake_at: when a waiting run goes on. lease_*, fence: who may write it.
    claims: takeovers without progress.
    """

    __table_args__ = (Index("ix_run_state_wake_at", "state", "wake_at"),)

    id: int | None = number(default=None, primary_key=True)
    dedup: str = Field(unique=True)
    kind: str
    playbook: str = Field(index=True)
    digest: str | None = Field(default=None, foreign_key="playbook_version.digest")
    incident: int | None = number(default=None, foreign_key="incident.id", index=True)
    effect: str | None = None
    mode: str = "live"
    inputs_json: str = text(default="{}")
    parameters_json: str = text(default="{}")
    outputs_json: str | None = text(default=None)
    parent: int | None = number(default=None, foreign_key="run.id", index=True)
    parent_path: str | None = None
    state: str = Field(index=True)
    reason: str | None = text(default=None)
    requested_by: str
    wake_at: datetime | None = moment(default=None)
    lease_owner: str | None = None
    lease_until: datetime | None = moment(default=None)
    fence: int = number(default=0)
    claims: int = number(default=0)
    created: datetime = moment()
    started: datetime | None = moment(default=None)
    finished: datetime | None = moment(default=None)


class Step(SQLModel, table=True):
    """The journal: one row per step, and per item of a ``for_each``."""

    run: int = number(foreign_key="run.id", primary_key=True)
    path: str = Field(primary_key=True)
    order: int = number()
    state: str
    attempt: int = number(default=0)
    use: str | None = None
    input_json: str = text(default="{}")
    output_json: str | None = text(default=None)
    error: str | None = text(default=None)
    wake_at: datetime | None = moment(default=None)
    started: datetime = moment()
    finished: datetime | None = moment(default=None)


class Approval(SQLModel, table=True):
    """A question to people, bound to the digest of exactly what will be done."""

    __table_args__ = (UniqueConstraint("run", "path"),)

    id: int | None = number(default=None, primary_key=True)
    run: int = number(foreign_key="run.id", index=True)
    path: str
    incident: int | None = number(default=None, foreign_key="incident.id")
    ask: str = text()
    approvers_json: str = text()
    need: int = number()
    four_eyes: bool = True
    on_timeout: str = "reject"
    escalate_json: str = text(default="[]")
    escalated: datetime | None = moment(default=None)
    plan_json: str = text(default="[]")
    digest: str
    state: str = Field(index=True)
    asked: datetime = moment()
    expires: datetime = moment()
    decided: datetime | None = moment(default=None)


class ApprovalVote(SQLModel, table=True):
    """One person's answer."""

    __tablename__ = "approval_vote"

    approval: int = number(foreign_key="approval.id", primary_key=True)
    person: str = Field(primary_key=True)
    approve: bool
    reason: str = text(default="")
    at: datetime = moment()


class Effect(SQLModel, table=True):
    """Something in force, or proposed. version: of the ledger when it last changed.

    path: the step that made it. details_json: what its kind needs beyond rate and burst.
    approvers_json: who agreed to it. active, until: its start and its end. receipt: what the ledger
    and the edges answered. verified: when every live edge had reported to obey it.
    """

    id: str = Field(primary_key=True)
    run: int | None = number(default=None, foreign_key="run.id", index=True)
    path: str = ""
    incident: int | None = number(default=None, foreign_key="incident.id", index=True)
    action: str
    subject: str = Field(index=True)
    kind: str
    rate: int = number(default=0)
    burst: int = number(default=0)
    details_json: str = text(default="")
    approvers_json: str = text(default="[]")
    state: str = Field(index=True)
    reason: str = text(default="")
    created: datetime = moment()
    active: datetime | None = moment(default=None)
    until: datetime | None = moment(default=None)
    lifted: datetime | None = moment(default=None)
    lifted_by: str | None = None
    lift_reason: str = text(default="")
    receipt: str = text(default="")
    verified: datetime | None = moment(default=None)
    version: int = number(default=0, index=True)


class LedgerVersion(SQLModel, table=True):
    """The one counter of ledger changes."""

    __tablename__ = "ledger_version"

    id: int = number(default=1, primary_key=True)
    version: int = number(default=0)


class Edge(SQLModel, table=True):
    """What an edge last said about itself.

    drift: by how many rules it obeyed more or fewer than it should have, when it said so.
    """

    name: str = Field(primary_key=True)
    version: int = number()
    skew_ms: int = number()
    applied: int = number()
    failed: int = number()
    drift: int = number(default=0)
    reported: datetime = moment()


class Schedule(SQLModel, table=True):
    """When a playbook that keeps to a clock is due next; moved by compare-and-swap."""

    playbook: str = Field(primary_key=True)
    spec: str = text()
    due: datetime = moment()


class EdgeWebhook(SQLModel, table=True):
    """How far a platform that enforces by itself was told. claimed_until: one worker at a time."""

    __tablename__ = "edge_webhook"

    name: str = Field(primary_key=True)
    version: int = number(default=0)
    attempts: int = number(default=0)
    next_at: datetime = moment()
    claimed_until: datetime | None = moment(default=None)
    failure: str = text(default="")


class ResponseStop(SQLModel, table=True):
    """The switch that stops all response; one row, kept when response starts again."""

    __tablename__ = "response_stop"

    id: int = number(default=1, primary_key=True)
    stopped: bool
    reason: str = text()
    by: str
    at: datetime = moment()


class EntityLabel(SQLModel, table=True):
    """A label that an answer put on somebody; incidents that name them show it."""

    __tablename__ = "entity_label"

    entity: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    by: str
    incident: int | None = number(default=None, foreign_key="incident.id")
    at: datetime = moment()


class Delivery(SQLModel, table=True):
    """What became of a message on its way to one channel. at: of the last change of state."""

    key: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    state: str = Field(index=True)
    urgent: bool = False
    is_digest: bool = False
    title: str = text()
    at: datetime = moment(index=True)
    attempts: int = number(default=0)
    error: str = text(default="")
