"""The hunt: a question about the stored events, what it finds, and how it becomes a rule."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from soc.access.permissions import Permission, Principal
from soc.errors import Illegal, LogError, QueryError, Refused
from soc.report import charts
from soc.web import hunting
from soc.web.console import saved
from soc.web.console.problems import sentence
from soc.web.console.shell import Console, go
from soc.web.hunting import Asked, Language, Span

Plain = dict[str, Any]
LANGUAGES = (("Filter", "filter"), ("SQL", "sql"), ("Sigma", "sigma"))
EXAMPLES = {
    "filter": "event.dataset:platform.access AND NOT event.outcome:success",
    "sql": "SELECT source, count(*) AS events FROM events GROUP BY source ORDER BY events DESC",
    "sigma": """title: Somebody gave while the round was closed
name: my-late-gift
status: experimental
level: medium
logsource: {product: funding, service: donation}
detection:
  late:
    funding.round.phase: closed
  condition: late
soc: {owner: role:security, reviewed: 2026-11-26, entity: wallet.address, bucket: 1h}
""",
}
"""What stands in an empty form."""


def add(routes: APIRouter, console: Console) -> None:
    """Add the page, and the form that keeps a rule."""
    desk, reads = _Desk(console), console.reader()

    @routes.get("/hunt")
    def hunt(
        request: Request,
        who: Principal = reads,
        q: Asked = "",
        language: Language = Language.FILTER,
        since: Span = "24h",
    ) -> Response:
        """Show a question and what it finds."""
        return desk.show(request, who, language, q, since)

    @routes.post("/hunt/rule")
    def keep(
        request: Request,
        who: Principal = reads,
        q: Annotated[str, Form(max_length=hunting.LONGEST)] = "",
        since: Annotated[str, Form(pattern="^(1h|24h|7d|30d|all)$")] = "24h",
    ) -> Response:
        """Keep the rule, to be watched at first."""
        who.require(Permission.AUTHOR)
        who.require_person()
        try:
            slug = hunting.keep_rule(console.front.suite, q, who)
        except (Refused, Illegal) as wrong:
            return desk.show(request, who, Language.SIGMA, q, since, wrong.reason)
        return go(f"/alerts?rule={slug}")


class _Desk:
    """Asks, and shows what was found or why not."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(
        self,
        request: Request,
        who: Principal,
        language: Language,
        text: str,
        since: str,
        problem: str = "",
    ) -> Response:
        """Return the page; an empty question is answered by an example of one."""
        found: Plain | None = None
        status = 422 if problem else 200
        if text.strip() and not problem:
            try:
                asked = hunting.question(self._console.front, language, text, since)
                found = hunting.answer(self._console.front, asked)
            except (QueryError, Refused) as wrong:
                problem, status = str(wrong), 400
            except LogError as down:
                problem, status = str(down), 503
        with self._console.front.reading() as looking:
            own = saved.listed(looking, who, "/hunt")
        return self._console.page(
            request,
            "hunt.html",
            who=who,
            own=own,
            status=status,
            language=language.value,
            languages=LANGUAGES,
            spans=list(hunting.SPANS),
            since=since,
            q=text,
            example=EXAMPLES[language],
            problem=sentence(problem) if problem else "",
            found=found,
            columns=list(found["rows"][0]) if found and found["rows"] else [],
            bars=_bars(found["histogram"]) if found else [],
            twin=f"/api/v1/hunt?{request.url.query}" if found else None,
        )


def _bars(histogram: list[Plain]) -> list[Plain]:
    """Return a bar for each bucket."""
    drawn = charts.columns([bar["events"] for bar in histogram], charts.WIDTH, charts.HEIGHT)
    return [bar | drawn for bar, drawn in zip(histogram, drawn, strict=True)]
