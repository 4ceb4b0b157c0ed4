"""The suite's own health: what is not well, and what to do about it."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.web.console.shell import Console
from soc.web.health import standing_of

PAGES = {
    "rules": "/rules#broken",
    "playbooks": "/playbooks#broken",
    "sources": "/sources#broken",
    "runs": "/runs?state=trouble",
    "workers": "/runs?state=waiting",
}
"""Where what a trouble is about can be seen."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the page."""
    front, reads = console.front, console.reader()

    @routes.get("/health")
    def health(request: Request, who: Principal = reads) -> Response:
        """Show how the suite stands."""
        found = standing_of(front, front.patience)
        return console.page(
            request,
            "health.html",
            who=who,
            found=found,
            places=PAGES,
            size=size,
            twin="/api/v1/health",
        )


def size(count: int | None) -> str:
    """Return a number of bytes as people read it."""
    if count is None:
        return "not known"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1_000:  # noqa: PLR2004 - units are thousands of each other
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1_000
    return f"{value:,.1f} TB"
