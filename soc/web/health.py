"""The API of the suite's own health."""

from fastapi import APIRouter

from soc.access.permissions import Permission
from soc.app.standing import standing
from soc.errors import Busy
from soc.web.asked import Plain, needs
from soc.web.front import Front

WAITS = 20.0


def add(routes: APIRouter, front: Front) -> None:
    """Add the route of health to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/health", tags=["health"], dependencies=[reads])
    def health() -> Plain:
        """Return the figures of every part, and each trouble with what to do about it."""
        return standing_of(front, WAITS)


def standing_of(front: Front, patience: float) -> Plain:
    """Return how the suite stands, with what is wrong with its rules, if those were read."""
    found = standing(front.suite, front.log)
    try:
        failed = len(front.rulebook.read(patience).answer.failed)
    except Busy as reading:
        return {**found, "rules": {"failed": None, "why": str(reading)}}
    if failed:
        found["troubles"].append(
            {
                "about": "rules",
                "what": f"{failed} mistakes in rules, which are not used",
                "remedy": "correct them: the page of rules says where",
            }
        )
    return {**found, "rules": {"failed": failed, "why": None}}
