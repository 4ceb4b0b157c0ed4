"""HTTP as uvicorn speaks it, with a way to hang up on a client that no status would help."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HANG_UP = "soc.hang_up"


class Protocol(HttpToolsProtocol):
    """Offers applications ``scope["extensions"][HANG_UP]``: close the connection, say nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(cast(asyncio.Transport, Joined(transport, self.loop)))

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"call": self.transport.abort}}


class Joined:
    """A transport that sends as one piece each two that are written in one turn of the loop.

    uvicorn writes the head of an answer and then its body, and the client would wake up for each.
    No more than one piece is held, so that whoever writes much still learns when to wait.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send *data*: with what is held, else soon."""
        if self._held:
            self._send(data)
        else:
            self._held = data
            self._loop.call_soon(self._send)

    def close(self) -> None:
        """Send what was written, then close."""
        self._send()
        self._transport.close()

    def _send(self, more: bytes = b"") -> None:
        whole, self._held = b"".join((self._held, more)), b""
        if whole and not self._transport.is_closing():
            self._transport.write(whole)
