"""Errors as pages: what happened, what is kept, and the way on."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from soc.access.permissions import Principal
from soc.errors import AccessDenied, NotFound, SocError
from soc.web import refusals
from soc.web.console.shell import HOME, Console, NotSignedIn, go, here

Answer = Callable[[Request, Exception], Awaitable[Response]]

PAGES = frozenset(
    {
        "alerts",
        "approvals",
        "attack",
        "effects",
        "entities",
        "health",
        "hunt",
        "incidents",
        "lists",
        "live",
        "login",
        "logout",
        "moves",
        "playbooks",
        "queue",
        "rejects",
        "rules",
        "runs",
        "settings",
        "sources",
        "suppressions",
        "theme",
        "threats",
        "views",
    }
)
"""First parts of the paths that are pages, whatever the client says it takes."""
MACHINES = frozenset({"api", "v1", "authz"})
TITLES = {
    401: "Nobody is known by this token",
    403: "You may not do this",
    404: "There is no such page",
    405: "This address takes another kind of request",
    409: "This does not fit the state it is in",
    413: "This form is too large",
    422: "Something in the request is not right",
    503: "What is stored cannot be reached",
}


class Problem(NamedTuple):
    """What an error page says. facts: name and value. ways: label and address."""

    status: int
    title: str
    lines: tuple[str, ...]
    facts: list[tuple[str, str]]
    ways: list[tuple[str, str]]

    @property
    def consequence(self) -> str:
        """Return the code, and what became of the request."""
        return f"{self.status}, nothing was changed" if self.status != 404 else "404"  # noqa: PLR2004 - HTTP's number


def install(app: FastAPI, console: Console, plain: Answer) -> None:
    """Answer errors with pages where a person asks, and as *plain* does elsewhere."""

    async def ours(request: Request, error: Exception) -> Response:
        if not is_page(request):
            return await plain(request, error)
        if isinstance(error, NotSignedIn):
            return go(sign_in(request))
        status = (await plain(request, error)).status_code
        missing = isinstance(error, NotFound)
        title = sentence(str(error)) if missing else TITLES.get(status, "This did not work")
        lines = () if missing else (sentence(str(error)),)
        return await run_in_threadpool(show, console, request, status, title.rstrip("."), lines)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        if not is_page(request):
            phrase = HTTPStatus(error.status_code).phrase
            body = refusals.problem(error.status_code, phrase.replace(" ", ""), str(error.detail))
            return refusals.answer(error.status_code, body, error.headers or {})
        title = TITLES.get(error.status_code, str(error.detail))
        return await run_in_threadpool(show, console, request, error.status_code, title, ())

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        if not is_page(request):
            return refusals.of_mistakes(error.errors())
        # What was typed is not shown again: it may be a password.
        lines = tuple(f"{one['loc'][-1]}: {sentence(one['msg'])}" for one in error.errors())
        return await run_in_threadpool(show, console, request, 422, TITLES[422], lines)

    app.add_exception_handler(SocError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def show(
    console: Console, request: Request, status: int, title: str, lines: tuple[str, ...]
) -> Response:
    """Return an error page."""
    who = _who(console, request)
    ways = [("Open the queue", HOME)] if who else [("Sign in", sign_in(request))]
    known = f"{who.person or who.name}, {', '.join(sorted(who.roles)) or 'no role'}" if who else ""
    facts = [("You are", known)] if who and status == 403 else []  # noqa: PLR2004 - HTTP's number
    problem = Problem(status, title, lines, facts, ways)
    return console.page(request, "error.html", who=who, status=status, problem=problem)


def is_page(request: Request) -> bool:
    """Return whether a person asks, and not a program."""
    first = request.url.path.split("/")[1]
    if first in MACHINES:
        return False
    return first in PAGES or "text/html" in request.headers.get("accept", "")


def is_form(request: Request) -> bool:
    """Return whether the request goes to a page."""
    return request.url.path.split("/")[1] in PAGES


def sign_in(request: Request) -> str:
    """Return the address of the log-in that leads back here."""
    return f"/login?{urlencode({'next': here(request)})}"


def sentence(text: str) -> str:
    """Return *text* as a sentence."""
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def _who(console: Console, request: Request) -> Principal | None:
    try:
        return console.front.who(request)
    except AccessDenied:
        return None
