"""What there is to do about an incident, by whom, and by when."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from soc.errors import Illegal, NotFound
from soc.incidents import lifecycle
from soc.store.tables import IncidentTask

LONGEST_TITLE = 200


class TaskState(StrEnum):
    """Where a task is.

    todo: nobody does it. in_progress: somebody does. blocked: it waits for something. completed:
    it is done. cancelled: it will not be.
    """

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


def add(
    session: Session,
    number: int,
    title: str,
    assignee: str | None,
    due: datetime | None,
    actor: str,
    now: datetime,
) -> IncidentTask:
    """Put a task on an incident."""
    incident = lifecycle.held(session, number)
    said = title.strip()
    if not said or len(said) > LONGEST_TITLE:
        raise Illegal(f"a task is a line of at most {LONGEST_TITLE} characters")
    task = IncidentTask(
        incident=number,
        title=said,
        state=TaskState.TODO,
        assignee=assignee,
        due=due,
        created=now,
        changed=now,
        by=actor,
    )
    session.add(task)
    session.flush()
    lifecycle.acknowledge(session, number, actor, now)
    lifecycle.told(session, incident, "incident.task", actor, now, said)
    return task


def change(
    session: Session,
    number: int,
    task: int,
    state: TaskState,
    assignee: str | None,
    actor: str,
    now: datetime,
) -> None:
    """Say where a task is; without *assignee* it stays whose it is."""
    incident = lifecycle.held(session, number)
    row = session.get(IncidentTask, task)
    if row is None or row.incident != number:
        raise NotFound(f"task of INC-{number}", str(task))
    row.state, row.changed = state, now
    row.assignee = assignee or row.assignee
    session.add(row)
    lifecycle.told(session, incident, f"incident.task_{state}", actor, now, row.title)


def tasks_of(session: Session, numbers: Sequence[int]) -> Sequence[IncidentTask]:
    """Return the tasks of incidents, in the order they were put there."""
    query = select(IncidentTask).where(col(IncidentTask.incident).in_(numbers))
    return session.exec(query.order_by(col(IncidentTask.id))).all()
