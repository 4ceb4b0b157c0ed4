"""The threat model: risks from inherent to residual, and what their controls are worth today."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.errors import Busy
from soc.web.console.shell import Console
from soc.web.threats import by_risk, told

STATUS = {
    "proven": "ok",
    "operating": "ok",
    "tested": "ok",
    "configured": "new",
    "asserted": "new",
    "stale": "warn",
    "failing": "bad",
    "unproven": "bad",
    "suspended": "off",
    "not_applicable": "off",
}
"""Marks of what is known of a control."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the page."""
    front, reads = console.front, console.reader()

    @routes.get("/threats")
    def threats(request: Request, who: Principal = reads) -> Response:
        """Show the register, and each risk with its controls and paths."""
        try:
            report = told(front, front.patience)
        except Busy:
            return console.page(request, "later.html", who=who, status=503, what="Threats")
        return console.page(
            request,
            "threats.html",
            who=who,
            report=report,
            risks=by_risk(report),
            marks=STATUS,
            twin="/api/v1/threats",
        )
