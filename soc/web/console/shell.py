"""What all pages share: templates, the sidebar with its counts, and who is asking."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Form, Query, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar
from starlette.responses import HTMLResponse, RedirectResponse

from soc.access.permissions import Permission, Principal
from soc.errors import AccessDenied, Illegal, LogError, NotFound
from soc.incidents import lifecycle
from soc.incidents.money import percent
from soc.report import charts
from soc.respond import approvals, ledger, stopping
from soc.store.tables import Approval, Effect, Incident, Suppression
from soc.web import views
from soc.web.console import words
from soc.web.front import Front

HOME = "/queue"
THEME = "soc_theme"
THEMES = ("system", "light", "dark")
PER_PAGE = 100
Line = Annotated[str, Form(max_length=200)]
Text = Annotated[str, Form(max_length=4_000)]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
After = Annotated[int, Query(ge=0, le=2**63 - 1)]


class NotSignedIn(AccessDenied):
    """Nobody is known behind this request; pages lead to the log-in."""


class Console:
    """Draws pages."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self._templates = Environment(
            loader=PackageLoader("soc.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "bars": charts.bars,
            "held": words.held,
            "listed": words.listed,
            "mark": words.mark,
            "percent": percent,
            "person": words.person,
            "plain": words.plain,
            "pretty": words.pretty,
            "some": words.some,
            "span": words.span,
            "subject": words.subject,
            "took": words.took,
            "verdicts": words.VERDICTS,
        }

    def page(
        self,
        request: Request,
        template: str,
        *,
        who: Principal | None,
        status: int = 200,
        **data: object,
    ) -> HTMLResponse:
        """Return the page *template* makes of *data*, with sidebar if *who* may read."""
        theme = request.cookies.get(THEME, "")
        reads = who is not None and Permission.READ in who.permissions
        shared = {
            "who": who,
            "may": who.permissions if who else frozenset(),
            "nav": self._nav() if reads else [],
            "stopped": self._stopped() if reads else None,
            "path": request.url.path,
            "here": here(request),
            "theme": theme if theme in THEMES else "system",
            "at": words.Times(self.front.suite.clock.now()),
            "twin": None,
        }
        text = self._templates.get_template(template).render(shared | data)
        return HTMLResponse(text, status)

    def reader(self) -> Any:  # noqa: ANN401 - FastAPI's own dependency
        """Return a dependency that gives who asks, if that one may read."""

        def check(request: Request) -> Principal:
            who = self.front.who(request)
            if who is None:
                raise NotSignedIn("sign in, or send Authorization: Bearer and a token")
            who.require(Permission.READ)
            return who

        return Depends(check)

    def counts(self) -> dict[str, int]:
        """Return the numbers that stand in the sidebar, by address."""
        return {
            href: number
            for _, items in self._nav()
            for _, href, number, _ in items
            if number is not None
        }

    def _nav(self) -> list[tuple[str, list[tuple[str, str, int | None, str]]]]:
        """Return groups of label, address, count and what is counted."""
        with self.front.reading() as looking:
            waiting = _count(looking, col(Approval.state) == approvals.PENDING)
            in_force = _count(looking, col(Effect.state).in_(ledger.FOLLOWED))
            in_queue = _count(
                looking, col(Incident.state).in_(lifecycle.OPEN), col(Incident.monitor).is_(False)
            )
        return [
            (
                "Work",
                [
                    ("Queue", "/queue", in_queue, "open incidents"),
                    ("Approvals", "/approvals", waiting, "waiting"),
                    ("Alerts", "/alerts", None, ""),
                ],
            ),
            (
                "Respond",
                [
                    ("Effects", "/effects", in_force, "in force"),
                    ("Runs", "/runs", None, ""),
                    ("Playbooks", "/playbooks", None, ""),
                ],
            ),
            (
                "Detect",
                [
                    ("Rules", "/rules", None, ""),
                    ("ATT&CK", "/attack", None, ""),
                    ("Suppressions", "/suppressions", self._quiet(), "in force"),
                    ("Lists", "/lists", None, ""),
                ],
            ),
            (
                "Measure",
                [
                    ("Rounds", "/rounds", None, ""),
                    ("KPIs", "/kpis", None, ""),
                    ("Threats", "/threats", None, ""),
                    ("Intelligence", "/intelligence", None, ""),
                ],
            ),
            (
                "Events",
                [
                    ("Hunt", "/hunt", None, ""),
                    ("Sources", "/sources", None, ""),
                    ("Rejects", "/rejects", self._rejects(), "not understood"),
                ],
            ),
            ("Suite", [("Health", "/health", None, ""), ("Settings", "/settings", None, "")]),
        ]

    def _quiet(self) -> int:
        now = self.front.suite.clock.now()
        live = (col(Suppression.ended).is_(None), col(Suppression.until) > now)
        with self.front.reading() as looking:
            return _count(looking, *live)

    def _stopped(self) -> dict[str, Any] | None:
        with self.front.reading() as looking:
            return views.stop(stopping.stopped(looking))

    def _rejects(self) -> int | None:
        """Return how many events no parser took; None while the event store cannot be read."""
        try:
            return self.front.log.reader.count_rejects()
        except LogError:
            return None


def number_of(kind: str, text: str) -> int:
    """Return the number *text* is; raises NotFound for what no row can have as its number."""
    try:
        return lifecycle.number_of(text if kind == "incident" else f"INC-{text}")
    except NotFound as none:
        raise NotFound(kind, text) from none


def local(target: str, otherwise: str = HOME) -> str:
    """Return *target* if it is a path of our own, else *otherwise*."""
    strange = any(sign <= " " or sign == "\\" for sign in target)
    if strange or not target.startswith("/") or target.startswith("//"):
        return otherwise
    return target


def here(request: Request) -> str:
    """Return the path and query a person may come back to."""
    if request.method != "GET":
        return HOME
    query = f"?{request.url.query}" if request.url.query else ""
    return local(request.url.path + query)


def go(target: str) -> RedirectResponse:
    """Lead to a page of our own, with GET."""
    return RedirectResponse(target, 303)


def _count(session: Session, *conditions: Any) -> int:  # noqa: ANN401 - SQL
    return session.exec(select(func.count()).where(*conditions)).one()


def paged(
    looking: Session, found: SelectOfScalar[Any], view: Callable[[Any], Any], page: int
) -> dict[str, Any]:
    """Return one page of what *found* selects, as lists show it, and how much there is."""
    total = looking.exec(select(func.count()).select_from(found.order_by(None).subquery())).one()
    rows = looking.exec(found.offset((page - 1) * PER_PAGE).limit(PER_PAGE)).all()
    items = [view(row) for row in rows]
    return {"items": items, "total": total, "page": page, "pages": -(-total // PER_PAGE)}


def moment_in(field: str, text: str) -> datetime | None:
    """Return the moment that a *field* of a form has, in UTC; None for none. Raises Illegal."""
    if not text.strip():
        return None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError as wrong:
        raise Illegal(f"{field}: write a day and time in UTC, such as 2026-12-01T09:00") from wrong
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
