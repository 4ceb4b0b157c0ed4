"""What open pages ask every few seconds: whether anything changed, and the sidebar's numbers.

Nothing is held open: a page asks with the ETag of what it knows and mostly gets 304. However many
ask, the store is looked at once a second.
"""

from threading import Lock

import orjson
from fastapi import APIRouter, Request
from sqlmodel import Session, col, func, or_, select
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.clock import monotonic
from soc.store.tables import AuditRow
from soc.web.console.shell import Console

EVERY = 1.0
"""Seconds for which a look at the store is good."""


class Pulse:
    """The newest state of what pages show, from one look a second. Any thread may ask."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = Lock()
        self._looked = float("-inf")
        self._seen: int | None = None
        self._cases = 0
        self._counts: dict[str, int] = {}

    def beat(self) -> tuple[str, bytes]:
        """Return an ETag, and what it stands for as JSON.

        cases: larger after each act on an incident or an approval. counts: by address.
        """
        with self._lock:
            if monotonic() - self._looked >= EVERY:
                with self._console.front.reading() as looking:
                    self._look(looking)
                self._counts = self._console.counts()
                self._looked = monotonic()
            told = {"cases": self._cases, "counts": self._counts}
        body = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        return f'"{self._cases}-{"-".join(map(str, self._counts.values()))}"', body

    def _look(self, looking: Session) -> None:
        """Look at the acts that came since; one that commits late is shown with the next."""
        number, action = col(AuditRow.id), col(AuditRow.action)
        on_cases = or_(
            action.startswith("incident.", autoescape=True),
            action.startswith("approval.", autoescape=True),
        )
        newest = looking.exec(select(func.max(number))).one() or 0
        if self._seen is None:
            self._cases = newest  # only what comes from now on is told apart
        else:
            case = select(func.max(number)).where(number > self._seen, on_cases)
            self._cases = looking.exec(case).one() or self._cases
        self._seen = newest


def add(routes: APIRouter, console: Console) -> None:
    """Add the address that open pages ask."""
    pulse, reads = Pulse(console), console.reader()

    @routes.get("/live")
    def live(request: Request, who: Principal = reads) -> Response:
        """Return the newest state, or 304 if the page knows it."""
        _ = who
        tag, body = pulse.beat()
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(body, headers={"ETag": tag}, media_type="application/json")
