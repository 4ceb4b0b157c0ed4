"""Experiments in the store: planned, running, stopped; each step is an act with a reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import orjson
from sqlmodel import Session, col, select

from soc.audit import Act, record
from soc.errors import Illegal, NotFound
from soc.intelligence.experiments.design import Design, designed
from soc.intelligence.experiments.looks import Look
from soc.model.value import rfc3339
from soc.store.locks import alone
from soc.store.tables import Experiment

LOCK = "experiment"
Plain = dict[str, Any]


class State(StrEnum):
    """Where an experiment is.

    draft: planned; everybody gets the control. running: units are assigned and exposed. stopped:
    everybody gets the control again; what was seen can still be reported.
    """

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"


def create(session: Session, design: Design, salt: str, actor: str, now: datetime) -> Experiment:
    """Keep *design* as a draft; raises Refused for what cannot be run, Illegal for a known name."""
    alone(session, LOCK)
    designed(design)
    if session.get(Experiment, design.name):
        raise Illegal(f"there is an experiment {design.name}: a name is used once")
    row = Experiment(
        name=design.name,
        title=design.title,
        owner=design.owner,
        state=State.DRAFT,
        arms_json=orjson.dumps(dict(design.arms)).decode(),
        unit=design.unit,
        metric=design.metric,
        guardrails_json=orjson.dumps(list(design.guardrails)).decode(),
        looks_json=orjson.dumps(list(design.looks)).decode(),
        units=design.units,
        baseline=design.baseline,
        minimal_effect=design.minimal_effect,
        alpha=design.alpha,
        power=design.power,
        salt=salt,
        created=now,
        created_by=actor,
    )
    session.add(row)
    session.flush()
    _tell(session, row, "create", actor, now, design.title)
    return row


def start(session: Session, name: str, reason: str, actor: str, now: datetime) -> Experiment:
    """Let units be assigned; raises Illegal unless it is a draft."""
    row = _moved(session, name, State.DRAFT, State.RUNNING, reason)
    row.started = now
    _tell(session, row, "start", actor, now, reason)
    return row


def stop(session: Session, name: str, reason: str, actor: str, now: datetime) -> Experiment:
    """Give everybody the control again; raises Illegal unless it runs."""
    row = _moved(session, name, State.RUNNING, State.STOPPED, reason)
    row.stopped = now
    _tell(session, row, "stop", actor, now, reason)
    return row


def looked(
    session: Session,
    row: Experiment,
    look: Look,
    shown: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> None:
    """Write down that somebody looked, and what was to be seen; raises Illegal for a second one."""
    alone(session, LOCK)
    session.refresh(row)
    before = taken(row)
    if before and (before[-1].is_last or before[-1].fraction >= look.fraction):
        raise Illegal(f"{row.name} was looked at meanwhile: its last look stands")
    entry = {
        "at": rfc3339(now),
        "by": actor,
        "fraction": look.fraction,
        "statistics": dict(look.statistics),
        "ends": look.ends,
        "shown": shown,
    }
    row.taken_json = orjson.dumps([*entries(row), entry]).decode()
    session.add(row)
    session.flush()
    _tell(session, row, "look", actor, now, f"at {look.fraction:.1%} of the planned units")


def get(session: Session, name: str) -> Experiment:
    """Return an experiment; raises NotFound."""
    row = session.get(Experiment, name)
    if row is None:
        raise NotFound("experiment", name)
    return row


def listed(session: Session) -> Sequence[Experiment]:
    """Return all experiments, by name."""
    return session.exec(select(Experiment).order_by(col(Experiment.name))).all()


def design_of(row: Experiment) -> Design:
    """Return what was planned."""
    return Design(
        name=row.name,
        title=row.title,
        owner=row.owner,
        arms=MappingProxyType(orjson.loads(row.arms_json)),
        metric=row.metric,
        units=row.units,
        guardrails=tuple(orjson.loads(row.guardrails_json)),
        looks=tuple(orjson.loads(row.looks_json)),
        baseline=row.baseline,
        minimal_effect=row.minimal_effect,
        alpha=row.alpha,
        power=row.power,
        unit=row.unit,
    )


def entries(row: Experiment) -> list[Plain]:
    """Return the looks that were taken, with what they showed."""
    found: list[Plain] = orjson.loads(row.taken_json)
    return found


def taken(row: Experiment) -> list[Look]:
    """Return the looks that were taken."""
    return [Look(each["fraction"], each["statistics"], each["ends"]) for each in entries(row)]


def told(row: Experiment) -> Plain:
    """Return what is said of an experiment; never its salt."""
    return {
        "name": row.name,
        "title": row.title,
        "owner": row.owner,
        "state": row.state,
        "arms": orjson.loads(row.arms_json),
        "unit": row.unit,
        "metric": row.metric,
        "guardrails": orjson.loads(row.guardrails_json),
        "looks": orjson.loads(row.looks_json),
        "units": row.units,
        "baseline": row.baseline,
        "minimal_effect": row.minimal_effect,
        "alpha": row.alpha,
        "power": row.power,
        "created": rfc3339(row.created),
        "created_by": row.created_by,
        "started": rfc3339(row.started) if row.started else None,
        "stopped": rfc3339(row.stopped) if row.stopped else None,
        "reason": row.reason,
        "taken": entries(row),
    }


def _moved(session: Session, name: str, old: State, new: State, reason: str) -> Experiment:
    alone(session, LOCK)
    row = get(session, name)
    session.refresh(row)
    if row.state != old:
        raise Illegal(f"{name} is {row.state}, not {old}")
    row.state, row.reason = new, reason
    session.add(row)
    session.flush()
    return row


def _tell(
    session: Session, row: Experiment, verb: str, actor: str, now: datetime, reason: str
) -> None:
    about = f"experiment:{row.name}"
    act = Act(at=now, actor=actor, action=f"experiment.{verb}", object=about, reason=reason)
    record(session, act)
