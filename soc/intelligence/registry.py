"""Models that were learned: one champion for each task, challengers beside it, all with cards.

A trained state is kept as skops writes it: known types alone are read back, nothing is unpickled,
and only while its bytes are those that were written.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson
from sqlmodel import Session, col, func, select

from soc.audit import Act, record
from soc.errors import Illegal, NotFound, Refused
from soc.model.value import rfc3339
from soc.store.locks import alone, put_new
from soc.store.tables import FileBody, Learned

LARGEST = 100_000_000
"""Bytes of a trained state."""
LOCK = "learned"
TRUSTED = (
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)
"""What models of the catalog are made of, beyond what skops knows."""
Plain = dict[str, Any]


class ModelState(StrEnum):
    """Where a model is.

    challenger: learned, but not used. champion: what scores come from. retired: was the champion.
    """

    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


def put(
    session: Session, model: object, card: Mapping[str, Any], actor: str, now: datetime
) -> Learned:
    """Keep *model*, fitted, as the next version of its task: a challenger; raises Refused."""
    import skops.io  # heavy: only where models are kept

    body = skops.io.dumps(model)
    if len(body) > LARGEST:
        raise Refused(f"the trained state has {len(body):,} bytes; at most {LARGEST:,} are kept")
    alone(session, LOCK)
    task = card["task"]["name"]
    versions = select(func.max(Learned.version)).where(col(Learned.task) == task)
    digest = f"sha256:{sha256(body).hexdigest()}"
    put_new(session, FileBody(digest=digest, body=body))
    row = Learned(
        task=task,
        version=(session.exec(versions).one() or 0) + 1,
        name=card["best"],
        state=ModelState.CHALLENGER,
        schema_digest=card["schema"],
        digest=digest,
        card_json=orjson.dumps(card, option=orjson.OPT_SERIALIZE_NUMPY).decode(),
        until=datetime.fromisoformat(card["learned_until"]),
        created=now,
        created_by=actor,
        reason="it was just learned",
    )
    session.add(row)
    session.flush()
    _told(session, row, "learn", actor, now, f"{row.name}, {digest}")
    return row


def load(session: Session, row: Learned) -> Any:  # noqa: ANN401 - an estimator has no type
    """Return the fitted model of *row*; raises Refused if its bytes or types are not ours."""
    import skops.io  # as above
    from skops.io.exceptions import UntrustedTypesFoundException

    body = session.get_one(FileBody, row.digest).body
    if f"sha256:{sha256(body).hexdigest()}" != row.digest:
        raise Refused(f"{label(row)} is no longer what was learned: its digest differs")
    try:
        return skops.io.loads(body, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as strange:
        raise Refused(f"{label(row)} holds what none of our models does: {strange}") from strange


def card_of(row: Learned) -> Plain:
    """Return the card of *row*."""
    found: Plain = orjson.loads(row.card_json)
    return found


def told(row: Learned) -> Plain:
    """Return what is said of a model: its card, and where it stands."""
    return {
        **card_of(row),
        "model": label(row),
        "state": row.state,
        "reason": row.reason,
        "digest": row.digest,
        "created": rfc3339(row.created),
        "created_by": row.created_by,
        "promoted": rfc3339(row.promoted) if row.promoted else None,
    }


def label(row: Learned) -> str:
    """Return what people call a model."""
    return f"{row.task}/{row.version}"


def named(session: Session, name: str) -> Learned:
    """Return the model called *name*, such as ``returns/3``; raises NotFound."""
    task, _, version = name.partition("/")
    if version.isascii() and version.isdigit() and len(version) < 10:  # noqa: PLR2004 - no row has more
        found = select(Learned).where(
            col(Learned.task) == task, col(Learned.version) == int(version)
        )
        if row := session.exec(found).first():
            return row
    raise NotFound("model", name)


def champion(session: Session, task: str) -> Learned | None:
    """Return what scores of *task* come from, if anything does."""
    wanted = col(Learned.task) == task, col(Learned.state) == ModelState.CHAMPION
    return session.exec(select(Learned).where(*wanted)).first()


def listed(session: Session) -> Sequence[Learned]:
    """Return all models, by task and the newest first."""
    return session.exec(
        select(Learned).order_by(col(Learned.task), col(Learned.version).desc())
    ).all()


def promote(session: Session, row: Learned, reason: str, actor: str, now: datetime) -> None:
    """Make *row* the champion of its task; the one before is retired. Raises Illegal."""
    if not reason.strip():
        raise Illegal("a reason is needed: say in one line why")
    alone(session, LOCK)
    session.refresh(row)
    if row.state == ModelState.CHAMPION:
        raise Illegal(f"{label(row)} is the champion")
    before = champion(session, row.task)
    if before:
        before.state, before.reason = ModelState.RETIRED, f"{label(row)} took its place"
        session.add(before)
    row.state, row.promoted, row.reason = ModelState.CHAMPION, now, reason
    session.add(row)
    session.flush()
    _told(session, row, "promote", actor, now, reason)


def rollback(session: Session, task: str, reason: str, actor: str, now: datetime) -> Learned:
    """Make the champion before the present one of *task* the champion again; raises Illegal."""
    alone(session, LOCK)
    present = champion(session, task)
    wanted = (
        col(Learned.task) == task,
        col(Learned.state) == ModelState.RETIRED,
        col(Learned.promoted).is_not(None),
    )
    newest = select(Learned).where(*wanted).order_by(col(Learned.promoted).desc())
    before = session.exec(newest).first()
    if present is None or before is None:
        raise Illegal(f"{task}: no champion was there before the present one")
    promote(session, before, reason, actor, now)
    return before


def _told(
    session: Session, row: Learned, verb: str, actor: str, now: datetime, reason: str
) -> None:
    named_ = f"model:{label(row)}"
    record(session, Act(at=now, actor=actor, action=f"model.{verb}", object=named_, reason=reason))
