"""The platform as an ASGI app: the front, then the edge, then the pages."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from soc.demo.platform.front import Front, caller_of
from soc.demo.platform.office import login, operation
from soc.demo.platform.pages import acts, pages
from soc.demo.platform.site import Site
from soc.edge import EdgeMiddleware, Scope


def make_app(site: Site) -> FastAPI:
    """Return the app; it starts and stops *site* with itself."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        site.start()
        yield
        site.stop()

    app = FastAPI(title="Demo funding platform", lifespan=life, docs_url=None, redoc_url=None)
    for router in (pages(site), acts(site), login(site), operation(site)):
        app.include_router(router)
    # The last one added is the outermost.
    app.add_middleware(EdgeMiddleware, snapshot=site.snapshot, subjects_of=_subjects)
    app.add_middleware(Front, sessions=site.sessions, log=site.log, recorder=site.recorder)
    return app


def _subjects(scope: Scope) -> Sequence[str]:
    return caller_of(scope).subjects
