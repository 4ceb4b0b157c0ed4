"""The ATT&CK matrix: techniques by tactic, with the rules that would see them."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.errors import Busy
from soc.web import attack as api
from soc.web.console.shell import Console

VIEWS = (
    ("All", "/attack"),
    ("Fired in 30 days", "/attack?show=fired"),
    ("Not proven", "/attack?show=unproven"),
)
STANDINGS = {
    "proven": ("ok", "proven", "switched on, and all its samples come out as they should"),
    "untested": ("warn", "untested", "no sample shows that it hits"),
    "failing": ("bad", "failing", "a sample comes out otherwise"),
    "monitor": ("run", "monitor", "only watched: it makes no incident"),
    "disabled": ("off", "disabled", "switched off"),
}
"""Mark, word and meaning of how a rule stands."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the page."""
    front, reads = console.front, console.reader()

    @routes.get("/attack")
    def attack(request: Request, who: Principal = reads, show: api.Show = "") -> Response:
        """Show the matrix, and AADAPT beside it."""
        try:
            found = api.matrix(front, front.patience, show)
        except Busy:
            return console.page(request, "later.html", who=who, status=503, what="Rules")
        named = set[str]()
        for tactic in found["tactics"]:
            for cell in tactic["techniques"]:
                # A technique may stand under several tactics: links lead to the first.
                cell_id = None if cell["technique"] in named else cell["technique"]
                named.add(cell["technique"])
                tactic.setdefault("ids", []).append(cell_id)
        return console.page(
            request,
            "attack.html",
            who=who,
            found=found,
            show=show,
            standings=STANDINGS,
            views=VIEWS,
            twin=f"/api/v1/attack{f'?show={show}' if show else ''}",
        )
