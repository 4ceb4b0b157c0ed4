"""Start the playbooks that answer a changed incident, in the transaction that changed it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session, col, select

from soc.content.digest import digest_of
from soc.errors import Illegal
from soc.incidents import alerts, lifecycle
from soc.model.value import Entity, EntityKind
from soc.respond.expression import render, truth
from soc.respond.playbook import OnIncident, Playbook
from soc.respond.versions import Wanted, queue
from soc.store.tables import Alert, Incident, Run

MOST = 500
"""Subjects of one kind that a run is given at most; the rest get runs of their own."""
TRIES = 3
NAMES = {"wallets": EntityKind.WALLET, "accounts": EntityKind.ACCOUNT, "ips": EntityKind.IP}


def trigger(
    session: Session, incidents: Iterable[int], playbooks: Sequence[Playbook], now: datetime
) -> tuple[int, ...]:
    """Queue a run of every playbook that answers one of *incidents*; return the runs' numbers.

    Only entities that alerts of the playbook's own rules name count, and only those that no
    earlier run of it on this incident was given: an incident that grows is answered once for each.
    Of a playbook with ``once_per`` this says what is answered again.
    """
    started = []
    for number in sorted(set(incidents)):
        incident = lifecycle.get(session, number)
        for playbook in playbooks:
            if playbook.on.incident is None:
                continue
            inputs = _inputs(session, incident, playbook.on.incident)
            while inputs and (run := _queue(session, incident, playbook, inputs, now)):
                started.append(run)
    return tuple(started)


def inputs_of(session: Session, incident: Incident, counted: Sequence[Alert]) -> dict[str, Any]:
    """Return what expressions may read of *incident*, with the entities of *counted* alerts."""
    assert incident.id is not None  # noqa: S101 - it was read from the store
    named = alerts.entities_of_all(session, [alert.id or 0 for alert in counted])
    entities = [Entity.parse(name) for name in named]
    by_kind = {
        name: [entity.value for entity in entities if entity.kind is kind]
        for name, kind in NAMES.items()
    }
    return {
        "id": f"INC-{incident.id}",
        "title": incident.title,
        "severity": incident.severity,
        "rules": sorted({alert.rule for alert in counted}),
        "alerts": [alert.id for alert in counted],
        "round": None,
        **by_kind,
    }


def offered_to(session: Session, playbook: Playbook, incident: str | None) -> dict[str, Any] | None:
    """Return what *playbook* may read of *incident*, as a person starts it.

    Alerts of its own rules count; if there are none, all do. Raises Illegal where it needs an
    incident and has none, or the other way round.
    """
    if incident is None:
        if playbook.on.incident:
            raise Illegal(f"{playbook.name} answers incidents: name one, such as INC-3")
        return None
    number = lifecycle.number_of(incident)
    found = lifecycle.get(session, number)
    every = lifecycle.alerts_of(session, number)
    rules = playbook.on.incident.rules if playbook.on.incident else ()
    return inputs_of(session, found, [a for a in every if a.rule in rules] or every)


def offers(session: Session, incident: Incident, on: OnIncident) -> Iterator[dict[str, Any]]:
    """Yield what runs of a playbook with *on* would be given about *incident*, as it is now.

    Raises ExpressionError for a ``when`` that cannot be told.
    """
    inputs = _inputs(session, incident, on)
    if inputs is None:
        return
    most = max(len(inputs[kind]) for kind in NAMES)
    for place in range(0, max(most, 1), MOST):
        yield {**inputs, **{kind: inputs[kind][place : place + MOST] for kind in NAMES}}


def _inputs(session: Session, incident: Incident, on: OnIncident) -> dict[str, Any] | None:
    assert incident.id is not None  # noqa: S101 - it was read from the store
    if incident.monitor or (on.severity and incident.severity not in on.severity):
        return None
    alerts_ = lifecycle.alerts_of(session, incident.id)
    counted = [a for a in alerts_ if a.rule in on.rules and not a.monitor]
    if not counted:
        return None
    inputs = inputs_of(session, incident, counted)
    if on.when and not truth(on.when, {"incident": inputs}):
        return None
    return inputs


def _queue(
    session: Session, incident: Incident, playbook: Playbook, inputs: dict[str, Any], now: datetime
) -> int | None:
    query = select(Run.inputs_json, Run.state).where(
        col(Run.incident).in_(lifecycle.family(session, incident.id or 0)),
        col(Run.playbook) == playbook.name,
    )
    runs = [(orjson.loads(text), state) for text, state in session.exec(query)]
    failed = sum(state == "failed" for _, state in runs)
    # What a failed run was given is given to another one; three failures are enough.
    earlier = [given for given, state in runs if state != "failed" or failed >= TRIES]
    added = {kind: _beyond(earlier, kind, inputs[kind])[:MOST] for kind in NAMES}
    if earlier and not any(added.values()) and not playbook.once_per:
        return None
    offered = {**inputs, **added}
    dedup = f"{playbook.name}:INC-{incident.id}:{digest_of(added)}{f':{failed}' * bool(failed)}"
    if playbook.once_per:
        dedup = f"{playbook.name}:{render(playbook.once_per, {'incident': offered})}"
        if session.exec(select(Run.id).where(col(Run.dedup) == dedup)).first() is not None:
            return None
    wanted = Wanted(
        dedup=dedup, incident=incident.id, offered=offered, given={}, requested_by="soc"
    )
    return queue(session, playbook, wanted, now)


def _beyond(earlier: Iterable[Mapping[str, Any]], kind: str, names: list[str]) -> list[str]:
    known = {name for inputs in earlier for name in inputs.get(kind, [])}
    return [name for name in names if name not in known]
