"""Which wallets are suspected: what findings say of them, and when people took it back."""

import pyarrow as pa
from sqlmodel import Session, col, select, true

from soc.incidents.lifecycle import CLEARED, Verdict
from soc.model.event import MOMENT
from soc.store.tables import Alert, AlertEntity, Incident, IncidentEntity

MARKS = pa.schema(
    [
        pa.field("wallet", pa.string(), nullable=False),
        pa.field("first", MOMENT, nullable=False),
        pa.field("last", MOMENT, nullable=False),
        pa.field("known", MOMENT, nullable=False),
        pa.field("cleared", MOMENT),
        pa.field("confirmed", MOMENT),
    ]
)
"""One row per alert of a security incident and wallet that it names. first, last: of its events.
known: when it was found. cleared: when a verdict said that it was nothing. confirmed: when one said
that it was right."""
PREFIX = "wallet:"


def marks(session: Session) -> pa.Table:
    """Return all marks, in the order of wallet and alert; those that are only watched are none."""
    query = (
        select(AlertEntity.entity, Alert, Incident)
        .join(Alert, col(Alert.id) == col(AlertEntity.alert))
        .join(Incident, col(Incident.id) == col(Alert.incident))
        .join(
            IncidentEntity,
            (col(IncidentEntity.incident) == col(Incident.id))
            & (col(IncidentEntity.entity) == col(AlertEntity.entity)),
            isouter=True,
        )
        .where(
            col(AlertEntity.entity).startswith(PREFIX, autoescape=True),
            col(IncidentEntity.ignored).is_not(true()),
            col(Incident.operations).is_(False),
            col(Incident.monitor).is_(False),
        )
        .order_by(col(AlertEntity.entity), col(Alert.id))
    )
    rows = [
        {
            "wallet": entity.removeprefix(PREFIX),
            "first": alert.first,
            "last": alert.last,
            "known": alert.created,
            "cleared": incident.closed if incident.verdict in CLEARED else None,
            "confirmed": incident.closed if incident.verdict == Verdict.TRUE_POSITIVE else None,
        }
        for entity, alert, incident in session.exec(query)
    ]
    return pa.Table.from_pylist(rows, MARKS)
