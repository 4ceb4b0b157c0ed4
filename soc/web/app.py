"""Put the routes together, and answer errors as what they are."""

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from soc.web import api, bulk, edges, hooks, otlp, search
from soc.web.console import site
from soc.web.front import Front
from soc.web.refusals import of_error
from soc.web.secure import Secure


class Application(FastAPI):
    """All routes. What shippers send all day goes straight to its own, past what pages need."""

    def __init__(self, front: Front) -> None:
        super().__init__(
            title="Commonwatch", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None
        )
        self._bulk = Secure(bulk.Bulk(front))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if bulk.is_straight(scope):
            await self._bulk(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def build(front: Front) -> Application:
    """Return the whole application."""
    app = Application(front)
    app.router.routes.extend([*bulk.routes(front), *otlp.routes(front), *hooks.routes(front)])
    # Not include_router: that would make each route once more, at the first request.
    for made in (edges.router(front), api.router(front), search.router(front)):
        app.router.routes.extend(made.routes)
    site.install(app, front, _error)

    app.add_middleware(Secure)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def root(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/queue", 303)
        return bulk.greeting()

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, object]:
        return {"status": "ok", "edges": edges.health(front)}

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> dict[str, object]:
        takes = front.log.free >= front.suite.settings.logs.refuse_below and not front.log.problem
        return {"status": "ok", "last_seq": front.log.reader.view().upto, "takes_events": takes}

    return app


async def _error(_request: Request, error: Exception) -> Response:
    return of_error(error)
