"""The rows. They check nothing: a value was legal before it became a row.

Moments are aware UTC. Columns that end in ``_json`` hold JSON text.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel


class Moment(TypeDecorator[datetime]):
    """A moment that is aware and in UTC, whatever the database makes of zones.

    SQLite keeps none; PostgreSQL answers in that of the connection.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return *value* in UTC; astimezone refuses nothing, so naive moments must not get here."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return *value* in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


Number: Any = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 64 bits: what SQLite calls INTEGER, and numbers its rows by."""


def _moment(**options: Any) -> Any:  # noqa: ANN401 - what Field itself takes and gives
    return Field(sa_type=Moment, **options)


def _text(**options: Any) -> Any:  # noqa: ANN401 - what Field itself takes and gives
    return Field(sa_type=Text, **options)


def _number(**options: Any) -> Any:  # noqa: ANN401 - what Field itself takes and gives
    return Field(sa_type=Number, **options)


class DetectorWindow(SQLModel, table=True):
    """How far each detector has read, what it remembers, and how its last run failed."""

    __tablename__ = "detector_window"

    detector: str = Field(primary_key=True)
    hwm: int = _number()
    state: str = _text()
    moved: datetime | None = _moment(default=None)
    failure: str | None = _text(default=None)
    failed: datetime | None = _moment(default=None)


class Alert(SQLModel, table=True):
    """Findings with one key: hash of rule, entity and event-time bucket."""

    id: int | None = _number(default=None, primary_key=True)
    key: str = Field(unique=True)
    rule: str = Field(index=True)
    rule_digest: str
    title: str = _text()
    severity: str
    entity: str = Field(index=True)
    bucket: datetime = _moment()
    first: datetime = _moment()
    last: datetime = _moment()
    count: int = _number()
    state: str
    monitor: bool = False
    incident: int | None = _number(default=None, foreign_key="incident.id", index=True)
    joined_by: str = _text(default="")
    matched_json: str = _text(default="[]")
    score: float | None = None
    reasons_json: str = _text(default="[]")
    author: str = _text(default="")
    licence: str = _text(default="")
    created: datetime = _moment()
    changed: datetime = _moment()


class AlertEntity(SQLModel, table=True):
    """Who is named in an alert."""

    __tablename__ = "alert_entity"

    alert: int = _number(foreign_key="alert.id", primary_key=True)
    entity: str = Field(primary_key=True, index=True)


class AlertEvent(SQLModel, table=True):
    """Raw events copied into an alert: evidence that outlives its log."""

    __tablename__ = "alert_event"

    alert: int = _number(foreign_key="alert.id", primary_key=True)
    seq: int = _number(primary_key=True)
    ts: datetime = _moment()
    source: str
    raw: str = _text()
    digest: str


class Incident(SQLModel, table=True):
    """Alerts worked together. operations: it is about the suite itself."""

    id: int | None = _number(default=None, primary_key=True)
    title: str = _text()
    severity: str
    state: str = Field(index=True)
    operations: bool = False
    monitor: bool = False
    owner: str | None = None
    verdict: str | None = None
    verdict_note: str | None = _text(default=None)
    first: datetime = _moment()
    created: datetime = _moment()
    changed: datetime = _moment()
    closed: datetime | None = _moment(default=None)


class IncidentEntity(SQLModel, table=True):
    """Who is named in an incident, and since when."""

    __tablename__ = "incident_entity"

    incident: int = _number(foreign_key="incident.id", primary_key=True)
    entity: str = Field(primary_key=True, index=True)
    added: datetime = _moment()


class IncidentNote(SQLModel, table=True):
    """What somebody, or a playbook, wrote on an incident. key: of the step that wrote it."""

    __tablename__ = "incident_note"

    id: int | None = _number(default=None, primary_key=True)
    incident: int = _number(foreign_key="incident.id", index=True)
    at: datetime = _moment()
    author: str
    text: str = _text()
    key: str | None = Field(default=None, unique=True)


class PlaybookVersion(SQLModel, table=True):
    """A playbook as it was when a run began; a run never changes its version."""

    __tablename__ = "playbook_version"

    digest: str = Field(primary_key=True)
    slug: str
    version: int = _number()
    content_json: str = _text()
    seen: datetime = _moment()


class Run(SQLModel, table=True):
    """One execution of a playbook, or the undo of one effect.

    inputs_json: what ``incident`` offers its expressions. wake_at: when a waiting run goes on.
    lease_*, fence: who may write it. claims: takeovers without progress.
    """

    id: int | None = _number(default=None, primary_key=True)
    dedup: str = Field(unique=True)
    kind: str
    playbook: str = Field(index=True)
    digest: str | None = Field(default=None, foreign_key="playbook_version.digest")
    incident: int | None = _number(default=None, foreign_key="incident.id", index=True)
    effect: str | None = None
    inputs_json: str = _text(default="{}")
    state: str = Field(index=True)
    reason: str | None = _text(default=None)
    requested_by: str
    wake_at: datetime | None = _moment(default=None)
    lease_owner: str | None = None
    lease_until: datetime | None = _moment(default=None)
    fence: int = _number(default=0)
    claims: int = _number(default=0)
    created: datetime = _moment()
    started: datetime | None = _moment(default=None)
    finished: datetime | None = _moment(default=None)


class Step(SQLModel, table=True):
    """The journal: one row per step, and per item of a ``for_each``."""

    run: int = _number(foreign_key="run.id", primary_key=True)
    path: str = Field(primary_key=True)
    order: int = _number()
    state: str
    attempt: int = _number(default=0)
    use: str | None = None
    input_json: str = _text(default="{}")
    output_json: str | None = _text(default=None)
    error: str | None = _text(default=None)
    started: datetime = _moment()
    finished: datetime | None = _moment(default=None)


class Approval(SQLModel, table=True):
    """A question to people, bound to the digest of exactly what will be done."""

    __table_args__ = (UniqueConstraint("run", "path"),)

    id: int | None = _number(default=None, primary_key=True)
    run: int = _number(foreign_key="run.id", index=True)
    path: str
    incident: int | None = _number(default=None, foreign_key="incident.id")
    ask: str = _text()
    approvers_json: str = _text()
    need: int = _number()
    plan_json: str = _text(default="[]")
    digest: str
    state: str = Field(index=True)
    asked: datetime = _moment()
    expires: datetime = _moment()
    decided: datetime | None = _moment(default=None)


class ApprovalVote(SQLModel, table=True):
    """One person's answer."""

    __tablename__ = "approval_vote"

    approval: int = _number(foreign_key="approval.id", primary_key=True)
    person: str = Field(primary_key=True)
    approve: bool
    reason: str = _text(default="")
    at: datetime = _moment()


class Effect(SQLModel, table=True):
    """Something in force, or proposed. version: of the ledger when it last changed.

    path: the step that made it. details_json: what its kind needs beyond rate and burst.
    approvers_json: who agreed to it. active, until: its start and its end. receipt: what the ledger
    and the edges answered. verified: when every live edge had reported to obey it.
    """

    id: str = Field(primary_key=True)
    run: int | None = _number(default=None, foreign_key="run.id", index=True)
    path: str = ""
    incident: int | None = _number(default=None, foreign_key="incident.id", index=True)
    action: str
    subject: str = Field(index=True)
    kind: str
    rate: int = _number(default=0)
    burst: int = _number(default=0)
    details_json: str = _text(default="")
    approvers_json: str = _text(default="[]")
    state: str = Field(index=True)
    reason: str = _text(default="")
    created: datetime = _moment()
    active: datetime | None = _moment(default=None)
    until: datetime | None = _moment(default=None)
    lifted: datetime | None = _moment(default=None)
    lifted_by: str | None = None
    lift_reason: str = _text(default="")
    receipt: str = _text(default="")
    verified: datetime | None = _moment(default=None)
    version: int = _number(default=0, index=True)


class LedgerVersion(SQLModel, table=True):
    """The one counter of ledger changes."""

    __tablename__ = "ledger_version"

    id: int = _number(default=1, primary_key=True)
    version: int = _number(default=0)


class Edge(SQLModel, table=True):
    """What an edge last said about itself.

    drift: by how many rules it obeyed more or fewer than it should have, when it said so.
    """

    name: str = Field(primary_key=True)
    version: int = _number()
    skew_ms: int = _number()
    applied: int = _number()
    failed: int = _number()
    drift: int = _number(default=0)
    reported: datetime = _moment()


class EdgeWebhook(SQLModel, table=True):
    """How far a platform that enforces by itself was told. claimed_until: one worker at a time."""

    __tablename__ = "edge_webhook"

    name: str = Field(primary_key=True)
    version: int = _number(default=0)
    attempts: int = _number(default=0)
    next_at: datetime = _moment()
    claimed_until: datetime | None = _moment(default=None)
    failure: str = _text(default="")


class ResponseStop(SQLModel, table=True):
    """The switch that stops all response; one row, kept when response starts again."""

    __tablename__ = "response_stop"

    id: int = _number(default=1, primary_key=True)
    stopped: bool
    reason: str = _text()
    by: str
    at: datetime = _moment()


class EntityLabel(SQLModel, table=True):
    """A label that an answer put on somebody; incidents that name them show it."""

    __tablename__ = "entity_label"

    entity: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    by: str
    incident: int | None = _number(default=None, foreign_key="incident.id")
    at: datetime = _moment()


class RuleState(SQLModel, table=True):
    """A rule that was switched by a person."""

    __tablename__ = "rule_state"

    rule: str = Field(primary_key=True)
    mode: str
    reason: str = _text()
    until: datetime | None = _moment(default=None)
    by: str
    at: datetime = _moment()


class AuditRow(SQLModel, table=True):
    """One act. leaf: its number in the log, given after commit; hash: of the RFC 6962 leaf."""

    __tablename__ = "audit"

    id: int | None = _number(default=None, primary_key=True)
    leaf: int | None = _number(default=None, unique=True)
    at: datetime = _moment()
    actor: str = Field(index=True)
    action: str = Field(index=True)
    object: str
    outcome: str
    record: str = _text()
    hash: str


class User(SQLModel, table=True):
    """A person who may log in."""

    __tablename__ = "user_account"

    name: str = Field(primary_key=True)
    password: str = _text()
    roles_json: str = _text()
    disabled: bool = False
    created: datetime = _moment()


class LoginFailure(SQLModel, table=True):
    """A log-in that failed; enough of them lock the pair of name and address."""

    __tablename__ = "login_failure"

    id: int | None = _number(default=None, primary_key=True)
    name: str = Field(index=True)
    address: str
    at: datetime = _moment()


class LoginSession(SQLModel, table=True):
    """A logged-in browser; the cookie holds the secret, this its hash."""

    __tablename__ = "login_session"

    hash: str = Field(primary_key=True)
    name: str = Field(foreign_key="user_account.name", index=True)
    created: datetime = _moment()
    expires: datetime = _moment()


class Token(SQLModel, table=True):
    """A key for a machine, or for a person's own commands (user is set).

    source: what all that it sends goes under, whatever the sender says.
    """

    name: str = Field(primary_key=True)
    hash: str = Field(unique=True)
    scope: str
    user: str | None = Field(default=None, foreign_key="user_account.name")
    created: datetime = _moment()
    revoked: datetime | None = _moment(default=None)
    source: str | None = None


class HookSeen(SQLModel, table=True):
    """A signed request that was taken: it is not taken again. digest: of its signature."""

    __tablename__ = "hook_seen"

    hook: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    at: datetime = _moment(index=True)


class SourceState(SQLModel, table=True):
    """How far a source has come. day: to which day_events belong, UTC. refused: beyond limits."""

    __tablename__ = "source_state"

    name: str = Field(primary_key=True)
    last_seen: datetime = _moment()
    day: date
    day_events: int = _number(default=0)
    refused: int = _number(default=0)


class Round(SQLModel, table=True):
    """A funding round, as platform events tell it. pool: integer text."""

    __tablename__ = "funding_round"

    id: str = Field(primary_key=True)
    name: str = ""
    phase: str = ""
    pool: str = "0"
    opened: datetime | None = _moment(default=None)
    closed: datetime | None = _moment(default=None)


class Project(SQLModel, table=True):
    """A project that asks for money in a round."""

    __tablename__ = "funding_project"

    round: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    name: str = ""
    owner: str = ""


class Donation(SQLModel, table=True):
    """One gift. amount: integer text. announced, on_chain: event times, as far as seen."""

    __tablename__ = "donation"

    tx_hash: str = Field(primary_key=True)
    round: str = Field(index=True)
    project: str
    wallet: str = Field(index=True)
    amount: str
    announced: datetime | None = _moment(default=None)
    on_chain: datetime | None = _moment(default=None)
