"""Routes that are worked out when they are first asked: most of them never are by one process."""

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


class LateRoute(APIRoute):
    """A route that knows its path and methods at once, and what it takes and gives when needed."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:  # noqa: ANN401 - FastAPI's own
        Route.__init__(self, path, endpoint, name=given.get("name"))
        self.methods = {method.upper() for method in given.get("methods") or ["GET"]}
        self.include_in_schema = bool(given.get("include_in_schema", True))
        self._given: dict[str, Any] | None = given

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever FastAPI keeps there
        """Return what the whole route has; called for what is not there yet."""
        if self.__dict__.get("_given") is None:
            raise AttributeError(name)
        self._work_out()
        return getattr(self, name)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._work_out()
        await super().handle(scope, receive, send)

    def _work_out(self) -> None:
        given, self._given = self._given, None
        if given is not None:
            super().__init__(self.path, self.endpoint, **given)
