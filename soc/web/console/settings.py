"""Settings, to read: they are changed in the home's file, and nowhere else."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.app.settled import changed, settled
from soc.web.console.shell import Console


def add(routes: APIRouter, console: Console) -> None:
    """Add the page."""
    suite, reads = console.front.suite, console.reader()

    @routes.get("/settings")
    def settings(request: Request, who: Principal = reads) -> Response:
        """Show every setting."""
        return console.page(
            request,
            "settings.html",
            who=who,
            groups=settled(suite),
            changed=changed(suite),
            file=suite.home.settings.name,
            twin="/api/v1/settings",
        )
