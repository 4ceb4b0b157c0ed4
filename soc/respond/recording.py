"""Make a test of a playbook from a run that really happened."""

from typing import Any

import orjson
from sqlmodel import Session, col, func, select

from soc.errors import Illegal
from soc.respond import approvals
from soc.respond.action import Action, Repeat
from soc.respond.journal import ENDED, Entry, Journal
from soc.store.tables import Effect, Run

ANSWERS = {"approved": "approve", "rejected": "reject"}
LAYOUT = "commonwatch.playbook-test/1"


def record(looking: Session, run: Run, actions: dict[str, type[Action]]) -> dict[str, Any]:
    """Return the file of tests that *run* makes: what reached outside is mocked as it answered.

    Raises Illegal for a run that is not over, or is no run of a playbook.
    """
    if run.kind != "playbook" or run.state not in {"done", "failed", "needs_human"}:
        raise Illegal(f"RUN-{run.id} is {run.state}: only a run of a playbook that is over")
    journal = Journal.read(looking.connection(), run)
    acted = [e for e in journal.entries.values() if e.use and "items" not in e.given]
    acted = [entry for entry in acted if entry.attempt and entry.state in ENDED]
    case = {
        "name": f"as RUN-{run.id} went",
        "incident": orjson.loads(run.inputs_json),
        "inputs": orjson.loads(run.parameters_json),
        "approvals": _answers(looking, run, journal),
        "mocks": _mocks(acted, actions),
        "expect": {
            "state": run.state,
            "calls": _counted([e.use or "" for e in acted if e.state == "done"]),
            "in_force": _forced(looking, run),
        },
    }
    return {"schema": LAYOUT, "playbook": run.playbook, "tests": [case]}


def _answers(looking: Session, run: Run, journal: Journal) -> dict[str, str]:
    asked = [approvals.of_step(looking, run.id or 0, path) for path in journal.entries]
    return {one.path: ANSWERS.get(one.state, "expire") for one in asked if one}


def _mocks(acted: list[Entry], actions: dict[str, type[Action]]) -> dict[str, list[Any]]:
    mocks: dict[str, list[Any]] = {}
    for entry in acted:
        kind = actions.get(entry.use or "")
        if kind is None or kind.repeat is Repeat.LOCAL:
            continue
        given = mocks.setdefault(entry.use or "", [])
        if entry.state == "failed":
            # Every try but the last failed too.
            given += [{"fail": entry.output["kind"]}] * entry.attempt
        else:
            given += [{"fail": "error"}] * (entry.attempt - 1)
            given.append(entry.output)
    return mocks


def _forced(looking: Session, run: Run) -> dict[str, int]:
    query = select(Effect.kind, func.count()).where(
        col(Effect.run) == run.id, col(Effect.active).is_not(None)
    )
    return dict(looking.exec(query.group_by(col(Effect.kind))).all())


def _counted(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}
