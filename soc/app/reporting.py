"""Join an installation with its threat model and its policy of retention; write reports."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from sqlmodel import Session, col, func, select

from soc import plugins
from soc.app import content
from soc.app import home as homes
from soc.app.suite import Suite
from soc.content import folders
from soc.content.kinds import duration_text
from soc.detect.detector import Detector, Mode
from soc.detect.rules import Rules
from soc.detect.sigma.load import load_rules
from soc.errors import ContentError, NotFound, Problem
from soc.report import threats as threat_report
from soc.retain.load import read_policy
from soc.retain.plan import Plan
from soc.retain.plan import plan as plan_of
from soc.retain.policy import DataClass, Policy, Store
from soc.settings import read as read_settings
from soc.store.session import reading
from soc.store.tables import Alert, AuditRow, DetectorWindow, Incident, Run
from soc.threats.assess import Assessment, assess
from soc.threats.evidence.kinds import described, resolvers
from soc.threats.evidence.look import LoadedRule, Sight
from soc.threats.model import Known
from soc.threats.model import read as read_model

MODEL = "qf"


@dataclass(frozen=True, slots=True)
class Written:
    """What a report says first, and where it lies."""

    assessment: Assessment
    files: tuple[Path, ...]


def content_files(home: homes.Home, kind: str) -> tuple[Path, ...]:
    """Return the files of *kind* that count: what is packaged, with the site's own over it."""
    return folders.overlay([folders.packaged(kind), home.content(kind)])[0]


def content_file(home: homes.Home, kind: str, name: str) -> Path:
    """Return the file called *name*; raises NotFound."""
    for path in content_files(home, kind):
        if path.stem == name:
            return path
    raise NotFound(kind.replace("_", " "), name)


def check_models(home: homes.Home, paths: Sequence[Path] | None) -> list[Problem]:
    """Return every mistake in threat models, references to what is not there among them.

    Without a home at that place, what is packaged counts.
    """
    known = Known(described(resolvers()), things(home))
    return _mistakes(_chosen(home, "threat_model", paths), lambda path: read_model(path, known))


def check_policies(home: homes.Home, paths: Sequence[Path] | None) -> list[Problem]:
    """Return every mistake and contradiction in policies of retention."""
    return _mistakes(_chosen(home, "retention", paths), read_policy)


def things(home: homes.Home) -> dict[str, frozenset[str]]:
    """Return what a threat model may refer to."""
    policy, _ = policy_of(home)
    settings = read_settings(home.settings)
    ruleset = load_rules(content.every_rule_file(settings, home))
    detectors = {n: kind(settings.detect) for n, kind in plugins.load("soc.detectors").items()}
    rules = rules_of(Rules(ruleset, settings.detect), detectors, {})
    actions = plugins.load("soc.actions")
    playbooks = content.playbooks(home, actions, settings.contacts, settings.respond).usable
    known = {
        "rule": frozenset(rules),
        "playbook": frozenset(playbook.name for playbook in playbooks),
        "setting": frozenset(flat(settings)),
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
    policy, why = policy_of(suite.home)
    return Sight(
        session=session,
        now=now,
        alive=alive(session, newest, now),
        rules=rules_of(suite.rules, suite.models, suite.modes),
        playbooks={playbook.name: playbook for playbook in suite.playbooks.usable},
        settings=flat(suite.settings),
        newest=newest,
        policy=policy,
        unkept=why,
    )


def rules_of(
    sigma: Rules, detectors: Mapping[str, Detector[Any]], modes: Mapping[str, str]
) -> dict[str, LoadedRule]:
    """Return every rule that is loaded: Sigma rules, and those of detectors."""
    found = {rule: LoadedRule(n) for n, detector in detectors.items() for rule in detector.rules}
    return found | {
        rule.name: LoadedRule(sigma.name, str(modes.get(rule.name, Mode.ACTIVE)), rule.digest)
        for rule in (*sigma.ruleset.rules, *sigma.ruleset.correlations)
    }


def newest_events(suite: Suite, now: datetime) -> dict[str, datetime]:
    """Return when the newest event of each dataset, and of each ``source:``, came before *now*."""
    if not suite.home.events.is_dir():
        return {}
    datasets, sources = (suite.reader.newest(column, now) for column in ("dataset", "source"))
    return datasets | {f"source:{name}": at for name, at in sources.items()}


def alive(session: Session, newest: Mapping[str, datetime], now: datetime) -> datetime | None:
    """Return the last sign of life before *now*: an act, a window that moved, a run, an event."""
    signs = list(newest.values())
    for column in (AuditRow.at, DetectorWindow.moved, Run.created, Alert.changed):
        newest_first = select(column).where(col(column) <= now).order_by(col(column).desc())
        signs += [at for at in session.exec(newest_first.limit(1)) if at is not None]
    return max(signs, default=None)


def flat(settings: BaseModel) -> dict[str, str | int | None]:
    """Return settings by dotted name, such as ``respond.mode``."""
    found: dict[str, str | int | None] = {}
    for group in type(settings).model_fields:
        values = getattr(settings, group)
        if isinstance(values, BaseModel):
            for name in type(values).model_fields:
                value = getattr(values, name)
                if not isinstance(value, SecretStr):
                    found[f"{group}.{name}"] = _scalar(value)
    return found


def policy_of(home: homes.Home) -> tuple[Policy | None, str]:
    """Return the policy of retention, or None and why it cannot be used."""
    try:
        return read_policy(content_file(home, "retention", MODEL)), ""
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


def _chosen(home: homes.Home, kind: str, paths: Sequence[Path] | None) -> list[Path]:
    if not paths:
        return list(content_files(home, kind))
    return [path for folder in paths for path in folders.files(folder)]


def _mistakes(paths: Iterable[Path], read: Callable[[Path], object]) -> list[Problem]:
    problems: list[Problem] = []
    for path in paths:
        try:
            read(path)
        except ContentError as wrong:
            problems += wrong.problems
    return sorted(problems)


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
