"""Say what a playbook would do: a dry run by the same interpreter, on a store in memory.

No action's ``run`` or ``undo`` is entered. Approvals are taken as given.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from sqlmodel import col, func, select

from soc.clock import Clock
from soc.content.digest import digest_of
from soc.content.kinds import duration_text
from soc.respond.action import Hold
from soc.respond.engine import Engine
from soc.respond.guard import HARMLESS, NeedsApproval, decide
from soc.respond.hands import DryHands
from soc.respond.journal import Entry, Journal
from soc.respond.playbook import Playbook
from soc.respond.steps import Steps, made
from soc.respond.turn import DRY, Means
from soc.respond.versions import Wanted, queue
from soc.settings import Respond
from soc.store.session import Database, in_memory, reading, session
from soc.store.tables import Run


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A run that was dry, with the playbook it followed."""

    steps: Steps
    journal: Journal


def outline(
    playbook: Playbook,
    offered: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    means: Means,
    policy: Respond,
    clock: Clock,
    database: Database | None = None,
) -> dict[str, Any]:
    """Return the steps in order, with what each would put in force and who would be asked.

    The digest is that of the playbook and its effects, as a real run has it. database: a store in
    memory that other rehearsals used; by default a new one. Raises Illegal for inputs that do not
    fit.
    """
    with nullcontext(database) if database else rehearsing() as stage:
        runs = list(rehearse(playbook, offered, given, means, policy, clock, stage))
    effects = [effect for run in runs for effect in effects_of(run)]
    subjects = {effect["subject"] for effect in effects}
    return {
        "playbook": playbook.name,
        "state": runs[0].journal.run.state,
        "digest": digest_of({"playbook": playbook.digest, "effects": effects}),
        "steps": [line for run in runs for line in _lines(run, policy)],
        "effects": effects,
        "approvals": [
            {"step": entry.path, **entry.given} for run in runs for entry in _asked(run.journal)
        ],
        "wallets": sorted(s.removeprefix("wallet:") for s in subjects if s.startswith("wallet:")),
    }


@contextmanager
def rehearsing() -> Iterator[Database]:
    """Give a store in memory for rehearsals, and let it go afterwards."""
    database = in_memory()
    try:
        yield database
    finally:
        database.dispose()


def rehearse(
    playbook: Playbook,
    offered: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    means: Means,
    policy: Respond,
    clock: Clock,
    database: Database,
) -> Iterator[Rehearsed]:
    """Yield a dry run of *playbook* in *database*, and those of the playbooks that it runs."""
    with session(database) as writing:
        earlier = writing.exec(select(func.count()).select_from(Run)).one()
        wanted = Wanted(
            dedup=f"plan:{earlier}",
            incident=None,
            offered=offered,
            given=given,
            requested_by="soc",
            mode=DRY,
        )
        first = queue(writing, playbook, wanted, clock.now())
    engine = Engine(database, clock, policy, replace(means, hands=DryHands()), "plan")
    while engine.work():
        pass
    with reading(database) as looking:
        query = select(Run).where(col(Run.id) >= first).order_by(col(Run.id))
        for run in looking.exec(query).all():
            steps = engine.steps_of(looking, run)
            assert steps is not None  # noqa: S101 - a dry run undoes nothing
            yield Rehearsed(steps, Journal.read(looking.connection(), run))


def effects_of(run: Rehearsed) -> list[dict[str, Any]]:
    """Return what a run did beyond looking and telling, in the order of its playbook."""
    place = {step_id: number for number, step_id in enumerate(run.steps.by_id)}
    done = [entry for entry in run.journal.entries.values() if _counts(run, entry)]
    done.sort(key=lambda entry: (place[entry.path.partition("[")[0]], entry.order))
    return [_effect(entry, _hold(run, entry)) for entry in done]


def _counts(run: Rehearsed, entry: Entry) -> bool:
    step = run.steps.by_id.get(entry.path.partition("[")[0])
    if step is None or not step.use or entry.state != "done":
        return False
    is_item = step.for_each is None or "[" in entry.path
    return is_item and run.steps.risk(step) not in HARMLESS


def _hold(run: Rehearsed, entry: Entry) -> Hold:
    step = run.steps.by_id[entry.path.partition("[")[0]]
    given = {name: value for name, value in entry.given.items() if name != "item"}
    return run.steps.held(step, made(run.steps.kind(step), given))


def _effect(entry: Entry, hold: Hold) -> dict[str, Any]:
    ttl = duration_text(timedelta(seconds=hold.seconds))
    return {"step": entry.path.partition("[")[0], **asdict(hold), "ttl": ttl}


def _asked(journal: Journal) -> list[Entry]:
    return [entry for entry in journal.entries.values() if "ask" in entry.given]


def _lines(run: Rehearsed, policy: Respond) -> Iterator[dict[str, Any]]:
    """Yield what becomes of each step, and what the guards say about it."""
    agreed: list[Hold] = []
    held: set[str] = set()
    for step in run.steps.by_id.values():
        entry = run.journal.get(step.id)
        if entry is None:
            continue
        if entry.state == "skipped":
            why = entry.output.get("unknown") or f"when is false: {step.when}"
            decision = "unknown" if "unknown" in entry.output else "skip"
            yield _line(step.id, step.use or step.kind, 0, decision, why)
        elif step.approval:
            agreed += run.steps.holds_after(step, run.journal.context())
            yield _line(step.id, "approval", 0, "ask", entry.given["ask"])
        elif not step.use:
            yield _line(step.id, step.kind, 0, "do", "")
        else:
            holds = _holds(run, step.id)
            decision_ = decide(run.steps.risk(step), holds, policy, agreed, held)
            held |= {hold.subject for hold in holds}
            asks = bool(holds) and isinstance(decision_, NeedsApproval)
            yield _line(step.id, step.use, len(holds), "ask" if asks else "do", decision_.why)


def _holds(run: Rehearsed, step_id: str) -> Sequence[Hold]:
    entries = run.journal.entries.values()
    mine = [entry for entry in entries if entry.path.partition("[")[0] == step_id]
    return [_hold(run, entry) for entry in mine if _counts(run, entry)]


def _line(step: str, use: str, subjects: int, decision: str, why: str) -> dict[str, Any]:
    return {"step": step, "use": use, "subjects": subjects, "decision": decision, "why": why}
