"""Log in and out, and believe a browser only what our own pages sent."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soc.access import accounts, keys
from soc.access.permissions import Principal
from soc.audit import Act, record
from soc.clock import nonce
from soc.errors import AccessDenied, TooManyRequests
from soc.incidents import files
from soc.web.console import problems
from soc.web.console.shell import HOME, THEME, THEMES, Console, Line, go, local
from soc.web.front import COOKIE, Front, is_local
from soc.web.late import LateRoute

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OURS = frozenset({"same-origin", "none"})
"""What ``Sec-Fetch-Site`` says of a request that our own page, or the person alone, caused."""
FORM = 64 * 1024
"""Bytes a form may have."""
THEME_LASTS = timedelta(days=365)

Password = Annotated[str, Form(max_length=1_000)]


def router(console: Console) -> APIRouter:
    """Return the routes of the gate, and of the choice of theme."""
    routes = APIRouter(route_class=LateRoute, include_in_schema=False)
    front = console.front

    def gate(request: Request, status: int, refusal: str, user: str, after: str) -> Response:
        return console.page(
            request, "login.html", who=None, status=status, refusal=refusal, user=user, after=after
        )

    @routes.get("/login")
    def sign_in(request: Request, next: str = HOME) -> Response:  # noqa: A002 - its name in the address
        """Show the gate."""
        return go(local(next)) if front.who(request) else gate(request, 200, "", "", local(next))

    @routes.post("/login")
    def enter(
        request: Request,
        user: Line = "",
        password: Password = "",
        next: Annotated[str, Form(max_length=2_000)] = HOME,  # noqa: A002 - its name in the form
    ) -> Response:
        """Begin a session, a new one each time, or say why not."""
        address, after = front.address(request), local(next)
        if not front.allows("login", address, front.suite.settings.web.login_per_minute):
            front.tell_limit("login", address)
            return gate(request, 429, "Too many tries from here: wait a minute.", user, after)
        found = _check(front, request, user, password)
        if isinstance(found, AccessDenied):
            status = 429 if isinstance(found, TooManyRequests) else 403
            return gate(request, status, problems.sentence(found.reason), user, after)
        answer = go(after)
        lasts = int(front.session_lasts.total_seconds())
        secure = front.suite.settings.web.secure_cookies or request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, found, max_age=lasts, path="/", secure=secure, httponly=True, samesite="lax"
        )
        return answer

    @routes.post("/logout")
    def leave(request: Request) -> Response:
        """End the session, here and in the browser."""
        who = front.who(request)
        with front.writing() as writing:
            keys.close_session(writing, request.cookies.get(COOKIE, ""))
            if who:
                now = front.suite.clock.now()
                record(writing, Act(at=now, actor=who.name, action="logout", object=who.name))
        answer = go("/login")
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return answer

    _theme(routes)
    return routes


def _theme(routes: APIRouter) -> None:
    @routes.post("/theme")
    def theme(theme: Line = "", back: Line = HOME) -> Response:
        """Keep the choice of light or dark."""
        answer = go(local(back))
        if theme in THEMES:
            lasts = int(THEME_LASTS.total_seconds())
            answer.set_cookie(THEME, theme, max_age=lasts, path="/", httponly=True, samesite="lax")
        return answer


def _check(front: Front, request: Request, user: str, password: str) -> str | AccessDenied:
    """Return the secret of a new session, or why there is none; both are recorded and told."""
    now, address = front.suite.clock.now(), front.address(request)
    detail = {"address": address}
    with front.reading() as looking:
        proof = accounts.verify(looking, user, password, address, now)
    with front.writing() as writing:
        found = accounts.settle(writing, user, proof, address, now)
        if isinstance(found, Principal):
            keys.close_session(writing, request.cookies.get(COOKIE, ""))
            secret = keys.open_session(writing, user, now, front.session_lasts)
            act = Act(
                at=now, actor=found.name, action="login.done", object=found.name, detail=detail
            )
        else:
            act = Act(
                at=now,
                actor="soc",
                action="login.refused",
                object=f"user:{user}",
                outcome="refused",
                reason=found.reason,
                detail=detail,
            )
        record(writing, act)
    if isinstance(found, AccessDenied):
        told = f"log-in refused: {found.reason}"
        front.tell("login", "failure", nonce(), user=user, address=address, message=told)
        return found
    front.tell("login", "success", nonce(), user=user, address=address, message="logged in")
    return secret


class OwnPagesOnly:
    """Refuses what another site's page makes a logged-in browser send; nothing else is looked at.

    Callers with a token and those on the home's socket prove themselves with each request.
    """

    def __init__(self, app: ASGIApp, console: Console) -> None:
        self._app, self._console = app, console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if not is_believed(request):
            answer = await run_in_threadpool(self._refusal, request)
            await answer(scope, receive, send)
        elif problems.is_form(request):
            await self._app(scope, _at_most(largest(request), receive), send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> Response:
        reason = "the request did not come from a page of this console: open the page and try again"
        if not problems.is_page(request):
            return JSONResponse({"error": "AccessDenied", "reason": reason}, 403)
        lines = (problems.sentence(reason),)
        return problems.show(self._console, request, 403, problems.TITLES[403], lines)


def largest(request: Request) -> int:
    """Return how many bytes a form may have: a file needs room."""
    return FORM + files.LARGEST if request.url.path.endswith("/files") else FORM


def is_believed(request: Request) -> bool:
    """Return whether the caller proved itself, or the browser says that our own page sent this."""
    if request.headers.get("authorization") or is_local(request):
        return True
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        # No browser, or one that tells nothing: without a session there is nothing to steal.
        return COOKIE not in request.cookies
    if site is not None:
        return site in OURS
    return urlsplit(origin or "").netloc == request.headers.get("host")


def _at_most(most: int, receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413)
        return message

    return bounded
