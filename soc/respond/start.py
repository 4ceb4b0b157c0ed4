"""Start a playbook because a person asks for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from soc.access.permissions import Permission, Principal
from soc.content.digest import digest_of
from soc.errors import AccessDenied, Illegal
from soc.incidents import lifecycle
from soc.model.value import rfc3339
from soc.respond.playbook import Playbook
from soc.respond.trigger import offered_to
from soc.respond.turn import DRY
from soc.respond.versions import Wanted, queue

LIVE = "live"


def start(
    session: Session,
    playbook: Playbook,
    incident: str | None,
    given: Mapping[str, Any],
    who: Principal,
    now: datetime,
    *,
    is_dry: bool = False,
) -> int:
    """Queue a run of *playbook* that *who* asks for; return its number.

    Only members of a role under ``on.manual`` may; who asks has no vote in its approvals. Raises
    AccessDenied, and Illegal for inputs or an incident that do not fit.
    """
    who.require(Permission.RESPOND)
    roles = {f"role:{role}" for role in who.roles} | set(who.roles)
    if not is_dry and not roles.intersection(playbook.on.manual):
        wanted = ", ".join(playbook.on.manual) or "nobody"
        raise AccessDenied(f"{playbook.name} is started by hand by {wanted} (on.manual)")
    offered = offered_to(session, playbook, incident)
    number = lifecycle.number_of(incident) if incident else None
    if number and lifecycle.get(session, number).state == "closed":
        raise Illegal(f"{incident} is closed")
    told = digest_of({"inputs": dict(given), "at": rfc3339(now), "by": who.name})
    wanted_run = Wanted(
        dedup=f"{playbook.name}:{incident or 'by hand'}:{told}",
        incident=number,
        offered=offered,
        given=given,
        requested_by=who.name,
        mode=DRY if is_dry else LIVE,
    )
    return queue(session, playbook, wanted_run, now)
