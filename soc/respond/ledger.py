"""What is in force: the one truth that every edge follows.

Each change takes the next version, in the transaction of what caused it, so an edge that knows
version V asks for what came after V and has missed nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, insert, update
from sqlmodel import Session, col, select

from soc.audit import Act, record
from soc.errors import Illegal, NotFound
from soc.model.value import rfc3339
from soc.respond.action import Hold
from soc.store.locks import alone
from soc.store.prepared import Prepared
from soc.store.tables import Effect, LedgerVersion, Run

_LEDGER: Table = LedgerVersion.__table__  # type: ignore[attr-defined]
_MOVED = Prepared(
    update(_LEDGER).values(version=_LEDGER.c.version + 1).returning(_LEDGER.c.version)
)
_EFFECTS: Table = Effect.__table__  # type: ignore[attr-defined]
_IS_KNOWN = Prepared(
    select(_EFFECTS.c.id).where(_EFFECTS.c.id == bindparam("effect_")).with_for_update()
)
_NEW = Prepared(insert(_EFFECTS).values({c.name: bindparam(c.name) for c in _EFFECTS.c}))
FOLLOWED = ("active", "lifting")
"""States in which an effect is in force."""
AT_EDGES = ("allow", "quarantine", "rate_limit")
"""Kinds that edges obey; others are read from the ledger by whoever they are for."""


def version(session: Session) -> int:
    """Return the version of the last change."""
    row = session.get(LedgerVersion, 1)
    return row.version if row else 0


def enforce(session: Session, effect: Effect, now: datetime) -> None:
    """Put *effect* in force; one that is in force already stays as it is."""
    known = _known(session, effect.id)
    if known and known.state != "proposed":
        return
    if known:
        known.until, known.approvers_json = effect.until, effect.approvers_json
        effect = known
    effect.state, effect.active, effect.version = "active", now, _next(session)
    effect.receipt = f"ledger {effect.version}"
    if effect.kind not in AT_EDGES:
        effect.verified = now
    if known is None:
        _NEW.run(session.connection(), {c.name: getattr(effect, c.name) for c in _EFFECTS.c})
    session.flush()


def propose(session: Session, effect: Effect) -> None:
    """Show *effect* as something that waits for a person."""
    if session.get(Effect, effect.id) is None:
        session.add(effect)
        session.flush()


def lift(session: Session, effect_id: str, by: str, now: datetime, why: str = "") -> None:
    """End an effect; do nothing if it ended already."""
    effect = session.get(Effect, effect_id, with_for_update=True)
    if effect is None or effect.state == "lifted":
        return
    effect.state, effect.lifted, effect.lifted_by = "lifted", now, by
    effect.lift_reason = why or effect.lift_reason
    effect.version = _next(session)
    session.add(effect)
    session.flush()


def ask_lift(session: Session, effect_id: str, actor: str, reason: str, now: datetime) -> None:
    """Queue the undo of an active effect, as a run; raises NotFound, Illegal if it is not active.

    The run's key is that of the effect: an end by time and an end by hand are one undo.
    """
    effect = session.get(Effect, effect_id, with_for_update=True)
    if effect is None:
        raise NotFound("effect", effect_id)
    if effect.state != "active":
        raise Illegal(f"{effect_id} is {effect.state}: only what is active can be lifted")
    _queue_undo(session, [effect], f"undo:{effect_id}", actor, reason, now)


def ask_rollback(
    session: Session, found: Sequence[Effect], actor: str, reason: str, now: datetime
) -> None:
    """Queue one run that undoes *found* in their order; do nothing without any."""
    active = [effect for effect in found if effect.state == "active"]
    if active:
        _queue_undo(session, active, f"rollback:{active[0].id}", actor, reason, now)


def activate(session: Session, effect_id: str, until: datetime, now: datetime) -> None:
    """Say that what was proposed has happened outside, and ends at *until*."""
    effect = session.get_one(Effect, effect_id, with_for_update=True)
    effect.until = until
    enforce(session, effect, now)


def _queue_undo(
    session: Session, found: Sequence[Effect], dedup: str, actor: str, why: str, now: datetime
) -> None:
    for effect in found:
        effect.state, effect.lift_reason = "lifting", why
        session.add(effect)
        act = Act(at=now, actor=actor, action="effect.lift", object=f"effect:{effect.id}")
        record(session, act.model_copy(update={"reason": why}))
    session.add(
        Run(
            dedup=dedup,
            kind="undo",
            playbook=found[0].action,
            effect=found[0].id,
            incident=found[0].incident,
            inputs_json=orjson.dumps({"effects": [effect.id for effect in found]}).decode(),
            state="queued",
            reason=why,
            requested_by=actor,
            created=now,
        )
    )


def is_due(session: Session, now: datetime) -> bool:
    """Return whether the time of any effect is over."""
    due = select(Effect.id).where(col(Effect.state) == "active", col(Effect.until) <= now)
    return session.exec(due.limit(1)).first() is not None


def end_due(session: Session, now: datetime) -> int:
    """Queue the undo of every effect whose time is over; return how many."""
    due = select(Effect.id).where(col(Effect.state) == "active", col(Effect.until) <= now)
    ids = list(session.exec(due.limit(500).with_for_update(skip_locked=True)))
    for effect_id in ids:
        ask_lift(session, effect_id, "soc", "its time is over", now)
    return len(ids)


def rules_after(
    session: Session, known: int, now: datetime, limit: int | None = None
) -> dict[str, Any]:
    """Return what an edge that knows version *known* must do to be up to date.

    ``full`` is set where it must forget all it knew: at the start, and after a restored backup.
    limit: changes at most; the version is then that of the last one, and there may be more.
    """
    newest = version(session)
    full = known <= 0 or known > newest
    wanted = col(Effect.state).in_(FOLLOWED) if full else col(Effect.version) > known
    changed = select(Effect).where(wanted, col(Effect.kind).in_(AT_EDGES))
    effects = session.exec(changed.order_by(col(Effect.version)).limit(limit)).all()
    if limit is not None and len(effects) == limit:
        newest = effects[-1].version
    live = [e for e in effects if e.state in FOLLOWED and e.until and e.until > now]
    gone = [] if full else [e.id for e in effects if e.state == "lifted"]
    return {"version": newest, "full": full, "rules": list(map(rule_of, live)), "removed": gone}


def rule_of(effect: Effect) -> dict[str, Any]:
    """Return *effect* as edges know it."""
    return {
        "subject": effect.subject,
        "kind": effect.kind,
        "rate": effect.rate,
        "burst": effect.burst,
        "until": rfc3339(effect.until) if effect.until else None,
        "effect": effect.id,
    }


def parameters(effect: Effect) -> dict[str, Any]:
    """Return what *effect* was given, beyond whom it is about."""
    limits = {"rate": effect.rate, "burst": effect.burst} if effect.kind == "rate_limit" else {}
    return {**limits, **(orjson.loads(effect.details_json) if effect.details_json else {})}


def effects(session: Session, *states: str) -> Iterator[Effect]:
    """Yield the effects in *states*, or all, newest first."""
    query = select(Effect).order_by(col(Effect.created).desc(), col(Effect.id))
    yield from session.exec(query.where(col(Effect.state).in_(states)) if states else query)


def effect_of(
    effect_id: str, run: Run, path: str, action: str, hold: Hold, now: datetime
) -> Effect:
    """Return the row that would put *hold* in force."""
    return Effect(
        id=effect_id,
        run=run.id,
        path=path,
        incident=run.incident,
        action=action,
        subject=hold.subject,
        kind=hold.kind,
        rate=hold.rate,
        burst=hold.burst,
        details_json=hold.details,
        state="proposed",
        created=now,
    )


def _known(session: Session, effect_id: str) -> Effect | None:
    """Return an effect, locked; most are new, and to ask for no object costs least."""
    found = _IS_KNOWN.run(session.connection(), {"effect_": effect_id}).first()
    return session.get(Effect, effect_id, with_for_update=True) if found else None


def _next(session: Session) -> int:
    """Return the next version; its row is locked until the commit: they show in their order."""
    asking = session.connection()
    moved: int | None = _MOVED.run(asking, {}).scalar()
    if moved is None:
        alone(session, "ledger")
        moved = _MOVED.run(asking, {}).scalar()
    if moved is None:
        session.add(LedgerVersion(id=1, version=1))
        session.flush()
    return moved or 1
