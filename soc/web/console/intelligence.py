"""What was learned: the last report, and the models, each with interval and size."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.app.telling import kept
from soc.intelligence import registry
from soc.report import story
from soc.web.console.kpis import said
from soc.web.console.shell import Console, go
from soc.web.intelligence import listed

Plain = dict[str, Any]
Reason = Annotated[str, Form(max_length=200)]
STATES = {"champion": "ok", "challenger": "new", "retired": "off"}
HOME = "/intelligence"


def add(routes: APIRouter, console: Console) -> None:
    """Add the page and its form."""
    front, reads = console.front, console.reader()

    @routes.get(HOME)
    def intelligence(request: Request, who: Principal = reads) -> Response:
        """Show the last report, and the models as they stand."""
        told = kept(front.suite)
        return console.page(
            request,
            "intelligence.html",
            who=who,
            told=story.shown(told) if told else None,
            models=listed(front),
            states=STATES,
            said=said,
            twin="/api/v1/intelligence" if told else "/api/v1/models",
        )

    @routes.post("/models/{task}/{version}/promote")
    def promote(task: str, version: int, reason: Reason = "", who: Principal = reads) -> Response:
        """Make a model the champion of its task."""
        who.require(Permission.AUTHOR)
        with front.writing() as writing:
            row = registry.named(writing, f"{task}/{version}")
            registry.promote(writing, row, reason, who.name, front.suite.clock.now())
        return go(f"{HOME}#models")
