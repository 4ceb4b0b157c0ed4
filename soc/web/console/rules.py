"""Rules: how each stands, what it says, and the form that switches it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.app.switching import switch
from soc.detect.detector import Mode
from soc.errors import Busy, Illegal
from soc.web import explain
from soc.web import rules as api
from soc.web.console.problems import sentence
from soc.web.console.shell import PER_PAGE, Console, Line, PageNumber, Text, go, moment_in

Asked = Annotated[str, Query(max_length=200)]
VIEWS = (
    ("All", "/rules"),
    ("With alerts", "/rules?show=fired"),
    ("Dead", "/rules?show=dead"),
    ("Switched", "/rules?show=off"),
)


def add(routes: APIRouter, console: Console) -> None:
    """Add the pages and the form."""
    front, reads = console.front, console.reader()

    @routes.get("/rules")
    def every(
        request: Request,
        who: Principal = reads,
        show: Literal["", "dead", "off", "fired"] = "",
        q: Asked = "",
        page: PageNumber = 1,
    ) -> Response:
        """Show all rules by slug, and the mistakes in those that cannot be used."""
        try:
            found = api.listed(front, front.patience)
        except Busy:
            return console.page(request, "later.html", who=who, status=503, what="Rules")
        rows = api.chosen(found["items"], show, q)
        kept = {key: value for key, value in {"show": show, "q": q}.items() if value}
        return console.page(
            request,
            "rules.html",
            who=who,
            items=rows[(page - 1) * PER_PAGE : page * PER_PAGE],
            total=len(rows),
            every=len(found["items"]),
            problems=found["problems"],
            examined=found["examined"],
            read=found["read"],
            page=page,
            pages=-(-len(rows) // PER_PAGE),
            kept=kept,
            views=VIEWS,
            twin="/api/v1/rules",
        )

    @routes.get("/rules/{slug}")
    def one(request: Request, slug: str, who: Principal = reads) -> Response:
        """Show one rule."""
        return _page(console, request, who, slug)

    @routes.post("/rules/{slug}/mode")
    def turn(
        request: Request,
        slug: str,
        mode: Annotated[Mode, Form()],
        who: Principal = reads,
        reason: Text = "",
        until: Line = "",
    ) -> Response:
        """Switch a rule."""
        who.require(Permission.AUTHOR)
        front.rulebook.about(slug, front.patience)
        typed = {"mode": str(mode), "reason": reason, "until": until}
        try:
            switch(front.suite, slug, mode, reason, moment_in("until", until), who.name)
        except Illegal as wrong:
            return _page(console, request, who, slug, typed, sentence(wrong.reason))
        return go(f"/rules/{slug}")


def _page(
    console: Console,
    request: Request,
    who: Principal,
    slug: str,
    typed: dict[str, str] | None = None,
    problem: str = "",
) -> Response:
    front = console.front
    try:
        found = api.whole(front, slug, front.patience)
    except Busy:
        return console.page(request, "later.html", who=who, status=503, what="Rules")
    asked = {"rule": slug, "rule_digest": f"sha256:{found['digest']}", "matched": ()}
    return console.page(
        request,
        "rule.html",
        who=who,
        status=422 if problem else 200,
        rule=found,
        text=explain.written(front.suite, asked) if found["path"] else None,
        past=found["history"],
        typed=typed or {"mode": found["mode"]["mode"], "reason": "", "until": ""},
        problem=problem,
        twin=f"/api/v1/rules/{slug}",
    )
