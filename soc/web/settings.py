"""The API of settings: what holds, and where it comes from; secrets are never told."""

from fastapi import APIRouter

from soc.access.permissions import Permission
from soc.app.settled import changed, settled
from soc.web.asked import Plain, needs
from soc.web.front import Front


def add(routes: APIRouter, front: Front) -> None:
    """Add the route of settings to *routes*."""
    reads = needs(front, Permission.READ)

    @routes.get("/settings", tags=["settings"], dependencies=[reads])
    def settings() -> Plain:
        """Return every setting with its value, default and origin.

        Of a secret, whether it is set. changed: what the file says otherwise by now.
        """
        return {"items": settled(front.suite), "changed": changed(front.suite)}
