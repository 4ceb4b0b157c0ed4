"""The page of a wallet, an account, an address or a machine."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.web.console.shell import Console
from soc.web.entities import whole_entity


def add(routes: APIRouter, console: Console) -> None:
    """Add the page."""
    front, reads = console.front, console.reader()

    @routes.get("/entities/{name:path}")
    def entity(request: Request, name: str, who: Principal = reads) -> Response:
        """Show what is known of somebody."""
        with front.reading() as looking:
            found = whole_entity(looking, front.log.reader, name)
        twin = f"/api/v1/entities/{found['entity']}"
        return console.page(request, "entity.html", who=who, entity=found, twin=twin)
