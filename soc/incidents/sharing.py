"""Who may be told of an incident, and what may be asked outside about it: TLP 2.0 and PAP."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from soc.incidents import lifecycle


class Tlp(StrEnum):
    """Who may be told, as FIRST's Traffic Light Protocol 2.0 has it.

    red: only those who work it. amber+strict: only this organisation. amber: it and its clients.
    green: the community. clear: everybody.
    """

    RED = "red"
    AMBER_STRICT = "amber+strict"
    AMBER = "amber"
    GREEN = "green"
    CLEAR = "clear"


class Pap(StrEnum):
    """What may be done with what is known, as MISP's Permissible Actions Protocol has it.

    red: nothing that leaves a trace outside. amber: passive look-ups of others' data. green: asking
    and acting outside. clear: anything.
    """

    RED = "red"
    AMBER = "amber"
    GREEN = "green"
    CLEAR = "clear"


def mark(
    session: Session, number: int, tlp: Tlp | None, pap: Pap | None, actor: str, now: datetime
) -> None:
    """Say who may be told of an incident, and what may be asked outside about it."""
    incident = lifecycle.held(session, number)
    before = f"TLP:{incident.tlp} PAP:{incident.pap}"
    incident.tlp, incident.pap = tlp or incident.tlp, pap or incident.pap
    after = f"TLP:{incident.tlp} PAP:{incident.pap}"
    if after != before:
        incident.changed = now
        lifecycle.acknowledge(session, number, actor, now)
        why = f"{before} became {after}".upper().replace("BECAME", "became")
        lifecycle.told(session, incident, "incident.share", actor, now, why)


def is_secret(tlp: str) -> bool:
    """Return whether messages about an incident may say no more than that it exists."""
    return tlp == Tlp.RED


def may_look_up(pap: str) -> bool:
    """Return whether others' data may be asked for about an incident: no trace at its subject."""
    return pap != Pap.RED


def may_reach_out(pap: str) -> bool:
    """Return whether an incident may make anything be sent outside."""
    return pap in {Pap.GREEN, Pap.CLEAR}
