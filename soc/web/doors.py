"""What an address serves: each path belongs to areas, and other paths are not there."""

from collections.abc import Iterable
from types import MappingProxyType

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from soc.model.listener import Area

EVERYWHERE = frozenset({"healthz", "readyz", "metrics"})
HANDSHAKES = frozenset(
    {"_cluster", "_cat", "_license", "_nodes", "_index_template", "_template", "_ilm"}
)
FIRST = MappingProxyType(
    {
        **dict.fromkeys(EVERYWHERE, frozenset(Area)),
        **dict.fromkeys([*HANDSHAKES, "hooks"], frozenset({Area.INGEST})),
        "api": frozenset({Area.API}),
        "authz": frozenset({Area.AUTHZ}),
        "public": frozenset({Area.PUBLIC}),
    }
)
"""Areas by the first part of a path."""
WHOLE = MappingProxyType(
    {
        "/": frozenset({Area.CONSOLE, Area.INGEST}),
        "/v1/logs": frozenset({Area.INGEST}),
        "/v1/edge/rules": frozenset({Area.AUTHZ}),
        "/v1/edge/report": frozenset({Area.AUTHZ}),
        "/api/v1/ingest": frozenset({Area.API, Area.INGEST}),
    }
)
BULK = "_bulk"
LONGEST_BULK = 3
"""Parts of ``/INDEX/_bulk``."""


def areas_of(path: str) -> frozenset[Area]:
    """Return the areas that *path* belongs to: it is served where one of them is."""
    _, *parts = path.split("/")
    if path in WHOLE:
        return WHOLE[path]
    if parts and parts[-1] == BULK and len(parts) < LONGEST_BULK:
        return frozenset({Area.INGEST})
    return FIRST.get(parts[0] if parts else "", frozenset({Area.CONSOLE}))


class Door:
    """The application as one address serves it."""

    def __init__(self, app: ASGIApp, serves: Iterable[Area]) -> None:
        self._app, self._serves = app, frozenset(serves)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or say that there is nothing."""
        if scope["type"] == "http" and not self._is_served(scope):
            nothing = {"error": "NotFound", "reason": "this is not served at this address"}
            await JSONResponse(nothing, 404)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_served(self, scope: Scope) -> bool:
        areas = areas_of(scope["path"])
        if scope["path"] == "/" and Area.CONSOLE not in self._serves:
            # A browser would be led to pages that are not served here.
            pages = any(name == b"accept" and b"text/html" in v for name, v in scope["headers"])
            return Area.INGEST in self._serves and not pages
        return not self._serves.isdisjoint(areas)
