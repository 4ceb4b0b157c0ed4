"""Join an installation with its threat model and its policy of retention; write reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from pydantic import BaseModel
from sqlmodel import Session, col, func, select

from soc.app import home as homes
from soc.app.suite import Suite
from soc.content import folders
from soc.content.kinds import duration_text
from soc.errors import ContentError, NotFound, Problem
from soc.logs import query
from soc.model.value import EPOCH
from soc.report import threats as threat_report
from soc.retain.load import read_policy
from soc.retain.plan import Plan
from soc.retain.plan import plan as plan_of
from soc.retain.policy import DataClass, Policy, Store
from soc.store.session import reading
from soc.store.tables import Alert, AuditRow, DetectorWindow, Incident, Run
from soc.threats.assess import Assessment, assess
from soc.threats.evidence.kinds import described, resolvers
from soc.threats.evidence.look import LoadedRule, Sight
from soc.threats.model import Known
from soc.threats.model import read as read_model

MODEL = "qf"
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Written:
    """What a report says first, and where it lies."""

    assessment: Assessment
    files: tuple[Path, ...]


def content_files(home: homes.Home | None, kind: str) -> tuple[Path, ...]:
    """Return the files of *kind* that count: what is packaged, with the site's own over it."""
    site = [home.content(kind)] if home else []
    return folders.overlay([folders.packaged(kind), *site])[0]


def content_file(home: homes.Home | None, kind: str, name: str) -> Path:
    """Return the file called *name*; raises NotFound."""
    for path in content_files(home, kind):
        if path.stem == name:
            return path
    raise NotFound(kind.replace("_", " "), name)


def check_model(path: Path, suite: Suite) -> list[Problem]:
    """Return every mistake in the threat model at *path*, its references among them."""
    try:
        read_model(path, Known(described(resolvers()), things(suite)))
    except ContentError as wrong:
        return list(wrong.problems)
    return []


def things(suite: Suite) -> dict[str, frozenset[str]]:
    """Return what a threat model may refer to in this installation."""
    policy, _ = policy_of(suite)
    known = {
        "rule": frozenset(loaded_rules(suite)),
        "playbook": frozenset(playbook.name for playbook in suite.playbooks.usable),
        "setting": frozenset(flat(suite.settings)),
    }
    # A policy that does not load is named by its own check, not once for each reference to it.
    return known | ({"retention": frozenset(c.id for c in policy.classes)} if policy else {})


def report(suite: Suite, out: Path, as_of: datetime | None = None, name: str = MODEL) -> Written:
    """Write the report on the threat model *name* as of then into *out*; change nothing else."""
    assessment = assessed(suite, as_of or suite.clock.now(), name)
    files = threat_report.write(assessment, out)
    return Written(assessment, files)


def assessed(suite: Suite, as_of: datetime, name: str = MODEL) -> Assessment:
    """Return how the threat model *name* stands at *as_of*."""
    found = resolvers()
    kinds = described(found)
    model = read_model(content_file(suite.home, "threat_model", name), Known(kinds))
    with reading(suite.database) as looking:
        sight = look(suite, looking, as_of)
        return assess(model, kinds, lambda asked: found[asked.kind].observe(asked, sight), as_of)


def look(suite: Suite, session: Session, now: datetime) -> Sight:
    """Return the installation as of *now*."""
    newest = newest_events(suite, now)
    policy, why = policy_of(suite)
    return Sight(
        session=session,
        now=now,
        alive=alive(session, newest, now),
        rules=loaded_rules(suite),
        playbooks={playbook.name: playbook for playbook in suite.playbooks.usable},
        settings=flat(suite.settings),
        newest=newest,
        policy=policy,
        unkept=why,
    )


def loaded_rules(suite: Suite) -> dict[str, LoadedRule]:
    """Return every rule that is loaded: Sigma rules, and those of detectors."""
    ruleset = suite.rules.ruleset
    found = {
        rule: LoadedRule(name) for name, detector in suite.models.items() for rule in detector.rules
    }
    return found | {
        rule.name: LoadedRule(suite.rules.name, suite.modes.get(rule.name, "active"), rule.digest)
        for rule in (*ruleset.rules, *ruleset.correlations)
    }


def newest_events(suite: Suite, now: datetime) -> dict[str, datetime]:
    """Return when the newest event of each dataset, and of each ``source:``, came before *now*."""
    if not suite.home.events.is_dir():
        return {}
    upto = (now - EPOCH) // MICROSECOND
    newest = {}
    for column, prefix in (("dataset", ""), ("source", "source:")):
        rows = query.sql(
            suite.reader,
            f"SELECT {column} AS name, max(least(epoch_us(ts), epoch_us(ingested))) AS at "  # noqa: S608 - constants and a number
            f"FROM events WHERE epoch_us(ingested) <= {upto} AND {column} IS NOT NULL "
            f"GROUP BY {column}",
        )
        newest |= {f"{prefix}{row['name']}": EPOCH + row["at"] * MICROSECOND for row in rows}
    return newest


def alive(session: Session, newest: Mapping[str, datetime], now: datetime) -> datetime | None:
    """Return the last sign of life before *now*: an act, a window that moved, a run, an event."""
    signs = list(newest.values())
    for column in (AuditRow.at, DetectorWindow.moved, Run.created, Alert.changed):
        signs += session.exec(select(func.max(column)).where(col(column) <= now))
    return max((sign for sign in signs if sign is not None), default=None)


def flat(settings: BaseModel) -> dict[str, str | int | None]:
    """Return settings by dotted name, such as ``respond.mode``."""
    found: dict[str, str | int | None] = {}
    for group in type(settings).model_fields:
        values = getattr(settings, group)
        if isinstance(values, BaseModel):
            for name in type(values).model_fields:
                found[f"{group}.{name}"] = _scalar(getattr(values, name))
    return found


def policy_of(suite: Suite) -> tuple[Policy | None, str]:
    """Return the policy of retention, or None and why it cannot be used."""
    try:
        return read_policy(content_file(suite.home, "retention", MODEL)), ""
    except ContentError as wrong:
        return None, f"{len(wrong.problems)} mistakes"
    except NotFound as missing:
        return None, str(missing)


def retention_plan(suite: Suite) -> Plan:
    """Return what is due to be archived and deleted now; touch nothing."""
    policy = read_policy(content_file(suite.home, "retention", MODEL))
    now = suite.clock.now()
    with reading(suite.database) as looking:
        counted = {one.id: _over_age(looking, one, now) for one in policy.classes}
    view = suite.reader.view()
    return plan_of(policy, view.segments, now, counted)


def _over_age(session: Session, one: DataClass, now: datetime) -> int:
    """Return how many rows of the class *one* are older than it must keep them."""
    if one.keep_at_least is None:
        return 0
    cutoff = now - one.keep_at_least
    if one.store is Store.AUDIT:
        acts = select(func.count()).select_from(AuditRow).where(col(AuditRow.at) <= cutoff)
        return session.exec(acts).one()
    if one.store is not Store.CASES:
        return 0
    closed = select(func.count()).select_from(Incident).where(col(Incident.closed) <= cutoff)
    alone = select(func.count()).select_from(Alert)
    loose = alone.where(col(Alert.incident).is_(None), col(Alert.changed) <= cutoff)
    runs = select(func.count()).select_from(Run).where(col(Run.finished) <= cutoff)
    return sum(session.exec(counted).one() for counted in (closed, loose, runs))


def _scalar(value: object) -> str | int | None:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, timedelta):
        return duration_text(value)
    return value if isinstance(value, str | int) or value is None else str(value)
