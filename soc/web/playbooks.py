"""The API of playbooks: which there are, what they say and did, what they would do, and a start."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from fastapi import APIRouter
from sqlmodel import Session, col, func, select

from soc.access.permissions import Permission
from soc.app.planning import found
from soc.app.reporting import content_files
from soc.app.rulebook import place_of
from soc.app.suite import Suite
from soc.content.document import MAX_BYTES
from soc.content.kinds import duration_text
from soc.model.value import rfc3339
from soc.respond.action import Risk
from soc.respond.playbook import Playbook
from soc.respond.step import Step
from soc.store.tables import Run
from soc.web import views
from soc.web.asked import Plain, needs
from soc.web.front import Front

LOOKED_BACK = timedelta(days=30)
LAST = 10


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes that show playbooks to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/playbooks", tags=["playbooks"], dependencies=[reads])
    def playbooks() -> Plain:
        """Return the playbooks in use, and the mistakes in the others.

        risk: how many steps look, notify, contain or destroy. runs: by state, of 30 days.
        """
        return listed(front)

    @routes.get("/playbooks/{name}", tags=["playbooks"], dependencies=[reads])
    def playbook(name: str) -> Plain:
        """Return a playbook with its text, steps, inputs and last runs; 404 for none."""
        return whole(front, name)


def listed(front: Front) -> Plain:
    """Return the playbooks by name, and what is wrong with others."""
    suite = front.suite
    known = suite.playbooks
    with front.reading() as looking:
        since = front.suite.clock.now() - LOOKED_BACK
        runs, last = _runs(looking, since), _last(looking)
    return {
        "items": [
            {**view(suite, one), "runs": runs.get(one.name, {}), "last_run": last.get(one.name)}
            for one in known.usable
        ],
        "problems": [problem.message for problem in known.problems],
        "mistakes": [
            {"path": place_of(suite, one.path), "line": one.line, "message": one.message}
            for one in known.problems
        ],
    }


def whole(front: Front, name: str) -> Plain:
    """Return a playbook with all that is known of it; raises NotFound."""
    suite = front.suite
    playbook = found(suite, name)
    path, text = _text(suite, playbook)
    with front.reading() as looking:
        since = suite.clock.now() - LOOKED_BACK
        wanted = select(Run).where(col(Run.playbook) == name, col(Run.kind) == "playbook")
        rows = looking.exec(wanted.order_by(col(Run.id).desc()).limit(LAST)).all()
        runs = _runs(looking, since).get(name, {})
        last = [views.run(row) for row in rows]
    return {
        **view(suite, playbook),
        "description": playbook.description,
        "owner": playbook.owner,
        "author": playbook.author,
        "status": playbook.status,
        "reviewed": playbook.reviewed.isoformat(),
        "signer": playbook.signature.signer if playbook.signature else None,
        "inputs": {n: one.model_dump(mode="json") for n, one in playbook.inputs.items()},
        "secrets": list(playbook.secrets),
        "steps": [_step(suite, step) for step in playbook.every_step()],
        "path": place_of(suite, path) if path else None,
        "text": text,
        "is_tested": path is not None and path.with_name(f"{path.stem}.test.yml").is_file(),
        "runs": runs,
        "last": last,
    }


def view(suite: Suite, one: Playbook) -> Plain:
    """Return a playbook as lists show it."""
    risks = [_risk(suite, step) for step in one.every_step()]
    return {
        "playbook": one.name,
        "version": one.version,
        "title": one.title,
        "digest": one.digest,
        "starts": starts(one),
        "manual": list(one.on.manual),
        "answers": list(one.on.incident.rules) if one.on.incident else [],
        "mode": one.mode,
        "risk": {str(risk): n for risk in Risk if (n := risks.count(risk))},
    }


def starts(one: Playbook) -> list[str]:
    """Return what starts a playbook, in words."""
    told = []
    if one.on.incident:
        when = f" when {one.on.incident.when}" if one.on.incident.when else ""
        worst = " or ".join(one.on.incident.severity)
        told.append(f"incidents{f' of severity {worst}' if worst else ''}{when}")
    if schedule := one.on.schedule:
        every = duration_text(schedule.every) if schedule.every else ""
        told.append(f"every {every}" if every else f"at {schedule.cron} in {schedule.tz}")
    if one.on.manual:
        told.append(f"by hand: {', '.join(one.on.manual)}")
    return told or ["other playbooks alone"]


def _risk(suite: Suite, step: Step) -> Risk | None:
    action = suite.actions.get(step.use) if step.use else None
    return action.risk if action else None


def _step(suite: Suite, step: Step) -> Plain:
    risk = _risk(suite, step)
    return {
        "step": step.id,
        "title": step.title,
        "use": step.use or step.kind,
        "risk": str(risk) if risk else None,
        "when": step.when,
        "for_each": step.for_each,
        "ttl": duration_text(step.ttl) if step.ttl else None,
        "ask": step.approval.ask if step.approval else None,
        "approvers": list(step.approval.approvers) if step.approval else [],
    }


def _runs(looking: Session, since: datetime) -> dict[str, dict[str, int]]:
    """Return how many runs of each playbook were begun since then, by state."""
    query = (
        select(Run.playbook, Run.state, func.count())
        .where(col(Run.kind) == "playbook", col(Run.created) >= since)
        .group_by(col(Run.playbook), col(Run.state))
    )
    found: dict[str, dict[str, int]] = {}
    for name, state, count in sorted(looking.exec(query).all()):
        found.setdefault(name, {})[state] = count
    return found


def _last(looking: Session) -> Mapping[str, Plain]:
    newest = select(func.max(Run.id)).where(col(Run.kind) == "playbook").group_by(col(Run.playbook))
    rows = looking.exec(select(Run).where(col(Run.id).in_(newest))).all()
    return {
        row.playbook: {"run": row.id, "state": row.state, "created": rfc3339(row.created)}
        for row in rows
    }


def _text(suite: Suite, playbook: Playbook) -> tuple[Path | None, str]:
    """Return the file that a playbook is in, as it is now; None if it is gone."""
    own = re.compile(
        rf"^playbook:\s*['\"]?{re.escape(playbook.name)}['\"]?\s*(#.*)?$", re.MULTILINE
    )
    files = content_files(suite.home, "playbooks")
    for path in sorted(files, key=lambda path: path.stem != playbook.name):
        text = _read(path)
        if own.search(text):
            return path, text
    return None, ""


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
