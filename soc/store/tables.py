"""The rows. They check nothing: a value was legal before it became a row.

Moments are aware UTC. Columns that end in ``_json`` hold JSON text.
"""

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from soc.store.cases import (
    Alert,
    AlertEntity,
    AlertEvent,
    AlertMove,
    FileBody,
    Incident,
    IncidentEntity,
    IncidentFile,
    IncidentNote,
    IncidentTask,
)
from soc.store.clocks import ClockBreach, IncidentOpening, IncidentPause
from soc.store.columns import moment, number, text
from soc.store.experiments import Experiment
from soc.store.indicators import Indicator, IndicatorList
from soc.store.learned import Learned
from soc.store.measured import IncidentMoney, Timing
from soc.store.responses import (
    Approval,
    ApprovalVote,
    Delivery,
    Edge,
    EdgeWebhook,
    Effect,
    EntityLabel,
    LedgerVersion,
    PlaybookVersion,
    ResponseStop,
    Run,
    Schedule,
    Step,
)
from soc.store.suppressions import Suppression, SuppressionHit

__all__ = [
    "Alert",
    "AlertEntity",
    "AlertEvent",
    "AlertMove",
    "Approval",
    "ApprovalVote",
    "AuditRow",
    "ClockBreach",
    "Delivery",
    "DetectorWindow",
    "Donation",
    "Edge",
    "EdgeWebhook",
    "Effect",
    "EntityLabel",
    "Experiment",
    "FileBody",
    "HookSeen",
    "Incident",
    "IncidentEntity",
    "IncidentFile",
    "IncidentMoney",
    "IncidentNote",
    "IncidentOpening",
    "IncidentPause",
    "IncidentTask",
    "Indicator",
    "IndicatorList",
    "Learned",
    "LedgerVersion",
    "LoginFailure",
    "LoginSession",
    "PlaybookVersion",
    "Project",
    "RequestKey",
    "ResponseStop",
    "Round",
    "RuleState",
    "Run",
    "SavedView",
    "Schedule",
    "Shard",
    "SourceState",
    "Step",
    "Suppression",
    "SuppressionHit",
    "Timing",
    "Token",
    "User",
]


class DetectorWindow(SQLModel, table=True):
    """How far each detector has read, what it remembers, and how its last run failed.

    marks: the number of the last event read, by shard, as JSON.
    """

    __tablename__ = "detector_window"

    detector: str = Field(primary_key=True)
    state: str = text()
    moved: datetime | None = moment(default=None)
    failure: str | None = text(default=None)
    failed: datetime | None = moment(default=None)
    marks: str = text(default="{}", sa_column_kwargs={"server_default": "{}"})


class Shard(SQLModel, table=True):
    """A part of the events' numbers, which one home gives.

    home: its id. owner: the process that holds it until the lease ends. fence: grows with each
    take-over. upto: the last number that others find in the cluster. complete: what was taken in
    before that is up to there.
    """

    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    home: str = Field(unique=True)
    owner: str
    until: datetime = moment()
    fence: int = number()
    upto: int = number()
    complete: datetime | None = moment(default=None)


class RuleState(SQLModel, table=True):
    """A rule that was switched by a person."""

    __tablename__ = "rule_state"

    rule: str = Field(primary_key=True)
    mode: str
    reason: str = text()
    until: datetime | None = moment(default=None)
    by: str
    at: datetime = moment()


class AuditRow(SQLModel, table=True):
    """One act. leaf: its number in the log, given after commit; hash: of the RFC 6962 leaf."""

    __tablename__ = "audit"

    id: int | None = number(default=None, primary_key=True)
    leaf: int | None = number(default=None, unique=True)
    at: datetime = moment()
    actor: str = Field(index=True)
    action: str = Field(index=True)
    object: str = Field(index=True)
    outcome: str
    record: str = text()
    hash: str


class User(SQLModel, table=True):
    """A person who may log in."""

    __tablename__ = "user_account"

    name: str = Field(primary_key=True)
    password: str = text()
    roles_json: str = text()
    disabled: bool = False
    created: datetime = moment()


class LoginFailure(SQLModel, table=True):
    """A log-in that failed; enough of them lock the pair of name and address."""

    __tablename__ = "login_failure"

    id: int | None = number(default=None, primary_key=True)
    name: str = Field(index=True)
    address: str
    at: datetime = moment()


class LoginSession(SQLModel, table=True):
    """A logged-in browser; the cookie holds the secret, this its hash."""

    __tablename__ = "login_session"

    hash: str = Field(primary_key=True)
    name: str = Field(foreign_key="user_account.name", index=True)
    created: datetime = moment()
    expires: datetime = moment()


class Token(SQLModel, table=True):
    """A key for a machine, or for a person's own commands (user is set).

    source: what all that it sends goes under, whatever the sender says.
    """

    name: str = Field(primary_key=True)
    hash: str = Field(unique=True)
    scope: str
    user: str | None = Field(default=None, foreign_key="user_account.name")
    created: datetime = moment()
    revoked: datetime | None = moment(default=None)
    source: str | None = None


class SavedView(SQLModel, table=True):
    """A filter that a person gave a name: path and query of the page it belongs to."""

    __tablename__ = "saved_view"

    owner: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    target: str = text()
    at: datetime = moment()


class RequestKey(SQLModel, table=True):
    """An answer that a request with an idempotency key got: the same request gets it again.

    digest: of method, path and body, so that a key is not used for two things.
    """

    __tablename__ = "request_key"

    who: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    digest: str
    status: int | None = number(default=None)
    body: str = text(default="")
    at: datetime = moment(index=True)


class HookSeen(SQLModel, table=True):
    """A signed request that was taken: it is not taken again. digest: of its signature."""

    __tablename__ = "hook_seen"

    hook: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    at: datetime = moment(index=True)


class SourceState(SQLModel, table=True):
    """How far a source has come. day: to which day_events belong, UTC. refused: beyond limits."""

    __tablename__ = "source_state"

    name: str = Field(primary_key=True)
    last_seen: datetime = moment()
    day: date
    day_events: int = number(default=0)
    refused: int = number(default=0)


class Round(SQLModel, table=True):
    """A funding round, as platform events tell it. pool: integer text."""

    __tablename__ = "funding_round"

    id: str = Field(primary_key=True)
    name: str = ""
    phase: str = ""
    pool: str = "0"
    opened: datetime | None = moment(default=None)
    closed: datetime | None = moment(default=None)


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
    announced: datetime | None = moment(default=None)
    on_chain: datetime | None = moment(default=None)
