"""HTTP as uvicorn speaks it, with a way to hang up on a client that no status would help."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HANG_UP = "soc.hang_up"


class Protocol(HttpToolsProtocol):
    """Offers applications ``scope["extensions"][HANG_UP]``: close the connection, say nothing."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"call": self.transport.abort}}
