"""The rows of alerts and incidents. They check nothing: what became a row was legal before."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from soc.store.columns import moment, number, text


class Alert(SQLModel, table=True):
    """Findings with one key: hash of rule, entity and event-time bucket."""

    id: int | None = number(default=None, primary_key=True)
    key: str = Field(unique=True)
    rule: str = Field(index=True)
    rule_digest: str
    title: str = text()
    severity: str
    entity: str = Field(index=True)
    bucket: datetime = moment()
    first: datetime = moment()
    last: datetime = moment()
    count: int = number()
    state: str
    monitor: bool = False
    incident: int | None = number(default=None, foreign_key="incident.id", index=True)
    joined_by: str = text(default="")
    matched_json: str = text(default="[]")
    score: float | None = None
    reasons_json: str = text(default="[]")
    author: str = text(default="")
    licence: str = text(default="")
    created: datetime = moment()
    changed: datetime = moment()


class AlertEntity(SQLModel, table=True):
    """Who is named in an alert."""

    __tablename__ = "alert_entity"

    alert: int = number(foreign_key="alert.id", primary_key=True)
    entity: str = Field(primary_key=True, index=True)


class AlertEvent(SQLModel, table=True):
    """Raw events copied into an alert: evidence that outlives its log."""

    __tablename__ = "alert_event"

    alert: int = number(foreign_key="alert.id", primary_key=True)
    seq: int = number(primary_key=True)
    ts: datetime = moment()
    source: str
    raw: str = text()
    digest: str


QUEUE = ("state", "monitor", "operations", "severity", "owner", "created", "acknowledged")


class Incident(SQLModel, table=True):
    """Alerts worked together. operations: it is about the suite itself.

    acknowledged: when a person first acted on it. resolved: when it last came to rest. reopened:
    how often it was taken up again. merged_into: the incident that has its alerts now. tlp, pap:
    who may be told, and what may be asked outside (TLP 2.0 and PAP of FIRST and MISP).
    money_at_risk: integer text, in the smallest unit. money_json: of which round and pool, or why
    nothing is known. assessed: as of when.
    """

    __table_args__ = (
        Index("ix_incident_queue", *QUEUE, "resolved", "merged_into"),
        Index("ix_incident_severity", "severity", "id"),
    )

    id: int | None = number(default=None, primary_key=True)
    title: str = text()
    severity: str
    state: str = Field(index=True)
    operations: bool = False
    monitor: bool = False
    owner: str | None = None
    verdict: str | None = None
    verdict_note: str | None = text(default=None)
    tlp: str = "amber"
    pap: str = "green"
    first: datetime = moment()
    created: datetime = moment()
    changed: datetime = moment()
    acknowledged: datetime | None = moment(default=None)
    resolved: datetime | None = moment(default=None)
    closed: datetime | None = moment(default=None)
    reopened: int = number(default=0)
    merged_into: int | None = number(default=None, foreign_key="incident.id", index=True)
    money_at_risk: str | None = text(default=None)
    money_json: str | None = text(default=None)
    assessed: datetime | None = moment(default=None)


class IncidentEntity(SQLModel, table=True):
    """Who is named in an incident, since when, and who named them.

    ignored: it says nothing about who belongs together, such as an exchange's wallet.
    """

    __tablename__ = "incident_entity"

    incident: int = number(foreign_key="incident.id", primary_key=True)
    entity: str = Field(primary_key=True, index=True)
    added: datetime = moment()
    by: str = "soc"
    ignored: bool = False


class IncidentNote(SQLModel, table=True):
    """What somebody, or a playbook, wrote on an incident: never changed, only replaced.

    key: of the step that wrote it. replaces: the version before this one.
    """

    __tablename__ = "incident_note"

    id: int | None = number(default=None, primary_key=True)
    incident: int = number(foreign_key="incident.id", index=True)
    at: datetime = moment()
    author: str
    text: str = text()
    key: str | None = Field(default=None, unique=True)
    replaces: int | None = number(default=None, foreign_key="incident_note.id", unique=True)


class AlertMove(SQLModel, table=True):
    """An alert that changed its incident because somebody said so: what undoes it is here.

    act: the number of the first move of one merge, split or detach. source, target: incidents, or
    none. joined_by: why it was in the source. undone: when that was taken back.
    """

    __tablename__ = "alert_move"

    id: int | None = number(default=None, primary_key=True)
    act: int | None = number(default=None, index=True)
    kind: str
    alert: int = number(foreign_key="alert.id", index=True)
    source: int | None = number(default=None, foreign_key="incident.id", index=True)
    target: int | None = number(default=None, foreign_key="incident.id", index=True)
    joined_by: str = text(default="")
    at: datetime = moment()
    by: str
    reason: str = text()
    undone: datetime | None = moment(default=None)


class IncidentTask(SQLModel, table=True):
    """Something to do about an incident, by somebody, by some time."""

    __tablename__ = "incident_task"

    id: int | None = number(default=None, primary_key=True)
    incident: int = number(foreign_key="incident.id", index=True)
    title: str = text()
    state: str = "todo"
    assignee: str | None = None
    due: datetime | None = moment(default=None)
    created: datetime = moment()
    changed: datetime = moment()
    by: str


class IncidentFile(SQLModel, table=True):
    """A file that belongs to an incident; its bytes are kept under their digest."""

    __tablename__ = "incident_file"

    id: int | None = number(default=None, primary_key=True)
    incident: int = number(foreign_key="incident.id", index=True)
    name: str = text()
    media_type: str
    size: int = number()
    digest: str
    at: datetime = moment()
    by: str


class FileBody(SQLModel, table=True):
    """The bytes of files, once for each digest."""

    __tablename__ = "file_body"

    digest: str = Field(primary_key=True)
    body: bytes
