"""Compare what should be in force with what every edge says it obeys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from soc.model.value import rfc3339, short
from soc.respond.ledger import AT_EDGES, FOLLOWED, version
from soc.settings import Edges
from soc.store.locks import alone
from soc.store.tables import Edge, EdgeWebhook, Effect

TRIES = 3
"""Failed deliveries in a row after which a platform is not reached."""
NAMED = 20
"""Edges, or effects, that a text names at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is not as it should be. rule: the slug of its finding."""

    rule: str
    about: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStanding:
    """How an edge stands to the ledger. age: since its last report."""

    name: str
    version: int
    age: timedelta
    is_live: bool
    skew_ms: int
    applied: int
    failed: int
    drift: int
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectStanding:
    """How far an effect is in force. waits_for: live edges that did not yet say they obey it."""

    id: str
    subject: str
    kind: str
    version: int
    verified: datetime | None
    waits_for: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All edges and all effects in force, in one look."""

    version: int
    edges: tuple[EdgeStanding, ...]
    effects: tuple[EffectStanding, ...]
    troubles: tuple[Trouble, ...]


def heard(session: Session, said: Edge, policy: Edges) -> None:
    """Keep what an edge says about itself, and verify the effects that all edges now obey."""
    alone(session, f"edge {said.name}")
    if said.version == version(session):
        said.drift = _drift(session, said, policy.max_skew)
    _keep(session, said, policy)


def obeys(session: Session, name: str, known: int, policy: Edges, now: datetime) -> None:
    """Keep that an edge obeys all up to version *known*; it counts no rules and has our clock."""
    alone(session, f"edge {name}")
    said = Edge(name=name, version=known, skew_ms=0, applied=0, failed=0, reported=now)
    _keep(session, said, policy)


def _keep(session: Session, said: Edge, policy: Edges) -> None:
    session.merge(said)
    session.flush()
    verify(session, policy, said.reported)


def verify(session: Session, policy: Edges, now: datetime) -> int:
    """Mark the effects that every live edge obeys; return how many are new."""
    alone(session, "verify effects")
    live = [edge for edge in _edges(session) if _is_live(edge, policy, now)]
    if not live or any(edge.failed for edge in live):
        return 0
    known = min(edge.version for edge in live)
    waiting = select(Effect).where(
        col(Effect.state).in_(FOLLOWED),
        col(Effect.kind).in_(AT_EDGES),
        col(Effect.verified).is_(None),
        col(Effect.version) <= known,
    )
    told = ", ".join(f"{edge.name} {edge.version}" for edge in live[:NAMED])
    found = session.exec(waiting.with_for_update()).all()
    for effect in found:
        effect.verified, effect.receipt = now, f"{effect.receipt}; obeyed by {told}"
        session.add(effect)
    return len(found)


def forget(session: Session, policy: Edges, now: datetime) -> None:
    """Forget the edges that have been silent for so long that they were taken away."""
    for edge in _edges(session):
        if now - edge.reported > policy.forget_after:
            session.delete(edge)


def standing(
    session: Session, policy: Edges, now: datetime, *, with_effects: bool = True
) -> Standing:
    """Return how every edge and every effect in force stands; change nothing.

    with_effects: name every effect, not only those that are not ended in time.
    """
    edges = tuple(_standing(session, edge, policy, now) for edge in _edges(session))
    live = [edge for edge in edges if edge.is_live]
    followed = select(Effect).where(col(Effect.state).in_(FOLLOWED)).order_by(col(Effect.id))
    if not with_effects:
        followed = followed.where(col(Effect.until) < now - policy.lag).limit(NAMED)
    rows = session.exec(followed).all()
    effects = tuple(
        EffectStanding(
            id=row.id,
            subject=row.subject,
            kind=row.kind,
            version=row.version,
            verified=row.verified,
            waits_for=tuple(edge.name for edge in live if not _obeys(edge, row)),
        )
        for row in rows
    )
    troubles = (
        *(trouble for edge in edges for trouble in edge.troubles),
        *_overdue(rows, policy, now),
        *_unreached(session, policy),
    )
    newest = version(session)
    return Standing(version=newest, edges=edges, effects=effects, troubles=troubles)


def judge(
    edge: Edge, missed: datetime | None, newest: int, policy: Edges, now: datetime
) -> tuple[Trouble, ...]:
    """Return what is wrong with *edge*. missed: when the first change was made that it misses."""
    age = now - edge.reported
    if age > policy.max_age:
        said = f"last heard at {rfc3339(edge.reported)}: rules there end by their own time alone"
        return (_of(edge, "silent", "no longer reports", said),)
    found = []
    if missed and now - missed > policy.lag:
        said = f"it knows version {edge.version} of {newest}, and misses a change since "
        found.append(_of(edge, "behind", "lags behind the ledger", said + rfc3339(missed)))
    if edge.failed:
        said = f"{edge.failed} rules cannot be obeyed there: is its version older than ours?"
        found.append(_of(edge, "failed", "cannot obey all rules", said))
    if edge.drift < 0:
        said = f"at version {edge.version} it obeys {-edge.drift} rules fewer than it should"
        found.append(_of(edge, "drift", "obeys too few rules", said))
    if edge.drift > 0:
        said = f"at version {edge.version} it obeys {edge.drift} rules that are over"
        found.append(_of(edge, "expiry", "obeys rules that are over", said))
    if abs(edge.skew_ms) > policy.max_skew / timedelta(milliseconds=1):
        said = f"its clock is {edge.skew_ms / 1000:+.1f} s from ours: rules end at another time"
        found.append(_of(edge, "skew", "has another time", said))
    return tuple(found)


def _standing(session: Session, edge: Edge, policy: Edges, now: datetime) -> EdgeStanding:
    missed = _missed(session, edge)
    return EdgeStanding(
        name=edge.name,
        version=edge.version,
        age=now - edge.reported,
        is_live=_is_live(edge, policy, now),
        skew_ms=edge.skew_ms,
        applied=edge.applied,
        failed=edge.failed,
        drift=edge.drift,
        troubles=judge(edge, missed, version(session), policy, now),
    )


def _obeys(edge: EdgeStanding, effect: Effect) -> bool:
    at_edges = effect.kind in AT_EDGES
    return not at_edges or (edge.version >= effect.version and not edge.failed)


def _of(edge: Edge, slug: str, words: str, reason: str) -> Trouble:
    title = f"The edge {short(edge.name)} {words}"
    return Trouble(rule=f"soc-edge-{slug}", about=f"edge {edge.name}", title=title, reason=reason)


def _overdue(rows: Sequence[Effect], policy: Edges, now: datetime) -> tuple[Trouble, ...]:
    """Return what is wrong where effects whose time is over are not ended."""
    over = [row.id for row in rows if row.until and now - row.until > policy.lag]
    if not over:
        return ()
    named = ", ".join(over[:NAMED])
    reason = f"{len(over)} are over and not ended: does a worker run? {named}"
    title = "Effects are not ended in time"
    return (Trouble(rule="soc-edge-expiry", about="ledger", title=title, reason=reason),)


def _unreached(session: Session, policy: Edges) -> tuple[Trouble, ...]:
    names = {platform.name for platform in policy.webhooks}
    told = session.exec(select(EdgeWebhook).order_by(col(EdgeWebhook.name)))
    return tuple(
        Trouble(
            rule="soc-edge-unreached",
            about=f"edge {one.name}",
            title=f"The platform {one.name} does not take what is in force",
            reason=f"{one.attempts} deliveries after version {one.version} failed: {one.failure}",
        )
        for one in told
        if one.attempts >= TRIES and one.name in names
    )


def _is_live(edge: Edge, policy: Edges, now: datetime) -> bool:
    return now - edge.reported <= policy.max_age


def _edges(session: Session) -> Sequence[Edge]:
    return session.exec(select(Edge).order_by(col(Edge.name))).all()


def _missed(session: Session, edge: Edge) -> datetime | None:
    """Return when the first change was made that *edge* does not know."""
    after = select(Effect).where(col(Effect.version) > edge.version, col(Effect.kind).in_(AT_EDGES))
    first = session.exec(after.order_by(col(Effect.version)).limit(1)).first()
    return (first.lifted or first.active) if first else None


def _drift(session: Session, said: Edge, slack: timedelta) -> int:
    """Return by how many rules an up-to-date edge obeys more or fewer than it should.

    What ends at about this moment may or may not count.
    """
    least = _should_be(session, said.reported + slack)
    most = _should_be(session, said.reported - slack)
    return min(said.applied - least, 0) or max(said.applied - most, 0)


def _should_be(session: Session, at: datetime) -> int:
    live = (
        col(Effect.state).in_(FOLLOWED),
        col(Effect.kind).in_(AT_EDGES),
        col(Effect.until) > at,
    )
    return session.exec(select(func.count()).select_from(Effect).where(*live)).one()
