"""Take syslog over TCP, TLS and UDP.

TCP has no answers: what a sender wrote and we had not yet read is gone when either side dies. A
sender that must know uses ``_bulk`` or OTLP.
"""

import asyncio
import logging
import os
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from soc.ingest.listen.batches import Batches, Line
from soc.ingest.listen.frames import LONGEST, Frames

READ = 64 * 1024
HANDSHAKE = 10.0
RECEIVE_BUFFER = 8 * 1024 * 1024
DROPS = ("/proc/net/udp", "/proc/net/udp6")
INODE, DROPPED = 9, 12
"""Columns of those files, as proc(5) has them."""
EMPTY = b"\r\n\0 "
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Taking:
    """How one input takes messages. senders: networks that may send; nobody named means all."""

    source: str
    senders: tuple[Network, ...] = ()
    most: int = 200
    idle: float = 600.0

    def believes(self, peer: str) -> bool:
        """Return whether *peer*, an address, may send."""
        if not self.senders:
            return True
        found = ip_address(peer.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in network for network in self.senders)


class Streams:
    """Syslog over TCP or TLS at one address.

    A connection that is idle too long, or one too many, is closed; while the store is behind
    nothing is read, so that the sender waits.
    """

    def __init__(self, taking: Taking, batches: Batches) -> None:
        self._taking, self._batches = taking, batches
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._server: asyncio.Server | None = None
        self.refused = 0
        """Connections that were closed unheard."""

    async def start(self, on: socket.socket, context: ssl.SSLContext | None) -> None:
        """Take connections of the bound socket *on*."""
        patience = HANDSHAKE if context else None
        self._server = await asyncio.start_server(
            self._serve, sock=on, ssl=context, ssl_handshake_timeout=patience, limit=READ
        )

    async def stop(self, patience: float) -> None:
        """Take no more; return when all that was read is handed on."""
        if self._server:
            self._server.close()
        for writer in self._open:
            writer.close()
        tasks = [task for task in self._open.values() if task]
        if tasks:
            await asyncio.wait(tasks, timeout=patience)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername")[0])
        if len(self._open) >= self._taking.most or not self._taking.believes(peer):
            self.refused += 1
            logging.getLogger(__name__).warning("syslog from %s: refused", peer)
            writer.close()
            return
        self._open[writer] = asyncio.current_task()
        try:
            await self._read(reader, peer)
        finally:
            del self._open[writer]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, peer: str) -> None:
        frames = Frames()
        source = self._taking.source
        with suppress(OSError, TimeoutError):
            while chunk := await asyncio.wait_for(reader.read(READ), self._taking.idle):
                for frame in frames.feed(chunk):
                    await self._batches.put(
                        Line(source, frame.data, "auto", None, frame.reason, peer)
                    )
        for frame in frames.end():
            await self._batches.put(Line(source, frame.data, "auto", None, frame.reason, peer))


class Datagrams(asyncio.DatagramProtocol):
    """Syslog over UDP at one address, each datagram a message. It loses, and counts it."""

    def __init__(self, taking: Taking, batches: Batches) -> None:
        self._taking, self._batches = taking, batches
        self._transport: asyncio.DatagramTransport | None = None
        self._inode = 0
        self._dropped = 0
        self.refused = 0
        """Datagrams from where nobody may send."""

    async def start(self, on: socket.socket) -> None:
        """Take datagrams of the bound socket *on*."""
        on.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._inode = os.fstat(on.fileno()).st_ino
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=on)

    def stop(self) -> None:
        """Take no more."""
        if self._transport:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take one message; drop it if the store is behind."""
        peer, message = str(addr[0]), data.strip(EMPTY)
        if not self._taking.believes(peer):
            self.refused += 1
            return
        if not message:
            return
        reason = f"longer than {LONGEST} bytes" if len(message) > LONGEST else ""
        line = Line(self._taking.source, message[:LONGEST], "auto", None, reason, peer)
        if not self._batches.offer(line):
            self._dropped += 1

    @property
    def lost(self) -> int:
        """Return how many datagrams came and were lost: by the kernel, and by us."""
        return self._dropped + sum(_kernel_drops(Path(name), self._inode) for name in DROPS)


def _kernel_drops(table: Path, inode: int) -> int:
    """Return what the kernel dropped at the socket *inode*, its buffer being full."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return 0  # not Linux: only what we drop ourselves is counted
    rows = (line.split() for line in lines)
    return sum(int(row[DROPPED]) for row in rows if row[INODE] == str(inode))
