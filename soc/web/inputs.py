"""The inputs that stay open, in the process that owns the store: started, watched, and ended."""

import asyncio
import base64
import logging
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import orjson

from soc.app.taking import check_format
from soc.clock import nonce, pause
from soc.errors import HomeError, LogError
from soc.ingest.listen.batches import Append, Batches, Line
from soc.ingest.listen.syslog import Datagrams, Streams, Taking
from soc.ingest.listen.tail import Tail, Watched
from soc.ingest.parse import BASE64, Intake
from soc.ingest.parsers.bsd import Bsd
from soc.inputs import SyslogInput
from soc.model.event import Reject, Row
from soc.model.listener import Address
from soc.web import sockets
from soc.web.front import INPUTS, Front

if TYPE_CHECKING:
    from soc.web.indices import Reading

PATIENCE = 3.0
LOSS_LOOK = 10.0
LONGEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Opened:
    """A syslog input whose socket is bound."""

    about: SyslogInput
    on: socket.socket
    shown: sockets.Shown | None

    @property
    def address(self) -> str:
        """Return where it listens, as it is told."""
        return f"syslog+{self.about.protocol}://{Address(*self.on.getsockname()[:2])}"


def opened(front: Front) -> tuple[Opened, ...]:
    """Bind what the settings name; raises HomeError for an address that is taken.

    Raises Refused for an index of a format that no parser has.
    """
    home = front.suite.home.path
    for index in front.suite.settings.inputs.indices:
        check_format(front.suite.intake, index.format)
    return tuple(
        Opened(
            about,
            sockets.listen(about.address, udp=about.protocol == "udp"),
            sockets.Shown(about.tls, home) if about.tls else None,
        )
        for about in front.suite.settings.inputs.syslog
    )


def followed(front: Front) -> Tail | None:
    """Return what follows the files that settings name; raises HomeError for an unknown format."""
    suite = front.suite
    watched = []
    for one in suite.settings.inputs.files:
        if one.format not in {"auto", *suite.intake.formats}:
            known = ", ".join(("auto", *suite.intake.formats))
            raise HomeError(f"inputs.files: no format {one.format!r}: known are {known}")
        watched.append(Watched(str(suite.home.path / one.path), one.source, one.format))
    kept = suite.home.path / "inputs" / "files.json"
    return Tail(watched, kept, front.is_used_up) if watched else None


class Inputs:
    """All inputs of one front door."""

    def __init__(self, front: Front, syslog: Sequence[Opened]) -> None:
        self._front, self._syslog = front, syslog
        self._batches: list[Batches] = []
        self._streams: list[Streams] = []
        self._datagrams: list[tuple[str, Datagrams]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._tail = followed(front)
        self._stop = asyncio.Event()
        self._indices: list[Reading] = []

    async def start(self) -> None:
        """Take what comes from now on."""
        for one in self._syslog:
            await self._take(one)
        if self._tail:
            following = self._tail.run(appender(self._front, self._front.suite.intake), self._stop)
            self._tasks.append(asyncio.create_task(following))
        for about in self._front.suite.settings.inputs.indices:
            from soc.web.indices import Reading  # opensearch-py

            self._indices.append(Reading(self._front, about))
            self._tasks.append(asyncio.create_task(self._indices[-1].run()))
        if self._datagrams:
            self._tasks.append(asyncio.create_task(self._tell_losses()))

    async def watch(self) -> None:
        """Return when an input ended of itself, which none should; raises what ended it."""
        if not self._tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Take no more; store what was taken."""
        self._stop.set()
        for index in self._indices:
            index.close()
        for _, datagrams in self._datagrams:
            datagrams.stop()
        await asyncio.gather(*(streams.stop(PATIENCE) for streams in self._streams))
        for batches in self._batches:
            await batches.end()
        storing = self._tasks[: len(self._batches) + bool(self._tail)]
        if storing:
            await asyncio.wait(storing, timeout=PATIENCE)
        for task in self._tasks:
            task.cancel()
        for _, datagrams in self._datagrams:
            self._warn(datagrams.lost)

    async def _take(self, one: Opened) -> None:
        about = one.about
        append = appender(self._front, _intake_for(self._front, about))
        batches = Batches(_within_the_day(self._front, about.source, append))
        self._batches.append(batches)
        self._tasks.insert(len(self._batches) - 1, asyncio.create_task(batches.run()))
        taking = Taking(about.source, about.senders, about.connections, about.idle.total_seconds())
        if about.protocol == "udp":
            datagrams = Datagrams(taking, batches)
            await datagrams.start(one.on)
            self._datagrams.append((about.source, datagrams))
        else:
            streams = Streams(taking, batches)
            await streams.start(one.on, one.shown.context if one.shown else None)
            self._streams.append(streams)

    async def _tell_losses(self) -> None:
        """Make an event of what UDP lost since it was last looked at."""
        told = [0] * len(self._datagrams)
        while True:
            await asyncio.sleep(LOSS_LOOK)
            for at, (source, datagrams) in enumerate(self._datagrams):
                lost = datagrams.lost
                if lost > told[at]:
                    await asyncio.to_thread(self._tell_loss, source, lost - told[at])
                    told[at] = lost

    def _tell_loss(self, source: str, lost: int) -> None:
        message = f"{lost} datagrams of {source} were lost: send over TCP or TLS"
        self._front.tell("loss", "failure", nonce(), dataset=INPUTS, message=message)

    @staticmethod
    def _warn(lost: int) -> None:
        if lost:
            logging.getLogger(__name__).warning("syslog over UDP lost %d datagrams", lost)


def appender(front: Front, intake: Intake) -> Append:
    """Return what stores lines of inputs, read by *intake*; what it does not take is a reject."""

    def append(lines: Sequence[Line]) -> None:
        for source, count in sorted(Counter(line.source for line in lines).items()):
            while (owed := front.sources.owed(source, count)) > 0:
                pause(min(owed, LONGEST_PAUSE))  # nothing is read meanwhile, so the sender waits
        whole = [line for line in lines if not line.reason]
        read: list[Row | Reject] = []
        for form, group in groupby(whole, key=lambda line: line.form):
            read += intake.read([(line.data, None) for line in group], form)
        rows = iter(read)
        front.store([(line.source, _cut(line) or _known(next(rows), line)) for line in lines])

    return append


def _within_the_day(front: Front, source: str, append: Append) -> Append:
    """Return *append*, which fails while *source* has brought what it may bring today."""

    def append_within(lines: Sequence[Line]) -> None:
        if front.is_used_up(source):
            raise LogError(f"{source} has brought what it may bring today: it waits")
        append(lines)

    return append_within


def _cut(line: Line) -> Reject | None:
    """Return what is kept of a line that is not whole."""
    if not line.reason:
        return None
    return Reject(BASE64 + base64.b64encode(line.data).decode(), line.reason, line.id)


def _known(row: Row | Reject, line: Line) -> Row | Reject:
    """Return *row* with what the input knows of it: an id where it has none, and the sender."""
    if line.id and not row.event_id:
        row = row._replace(event_id=line.id)
    if line.peer and isinstance(row, Row):
        # The parser knows no connection; its JSON is one object, whose last sign is a brace.
        peer = orjson.dumps({"log.source.address": line.peer}).decode()
        row = row._replace(raw=f"{row.raw[:-1]},{peer[1:]}")
    return row


def _intake_for(front: Front, about: SyslogInput) -> Intake:
    """Return the parsers, of which the one for RFC 3164 knows the senders' zone."""
    bsd = Bsd(front.suite.clock, ZoneInfo(about.zone))
    return Intake(front.suite.parsers | {Bsd.name: bsd})
