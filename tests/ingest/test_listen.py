"""Inputs hand on every line once and in order, and hold senders back while the store is slow."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_network
from threading import Event

import pytest

from soc.errors import LogError
from soc.ingest.listen import batches as batching
from soc.ingest.listen.batches import Batches, Line
from soc.ingest.listen.syslog import Datagrams, Streams, Taking


class Store:
    """Takes lines; can be slow, or full for a while."""

    def __init__(self, failures: int = 0) -> None:
        self.batches: list[list[bytes]] = []
        self.failures = failures
        self.may_go_on = Event()
        self.may_go_on.set()

    def append(self, lines: Sequence[Line]) -> None:
        self.may_go_on.wait(30)
        if self.failures:
            self.failures -= 1
            raise LogError("the disk is full")
        self.batches.append([line.data for line in lines])

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.batches for line in batch]


def numbered(count: int) -> list[bytes]:
    return [b"<13>%06d" % n for n in range(count)]


def test_lines_are_stored_in_order_and_in_batches_that_are_bounded() -> None:
    store = Store()

    async def play() -> None:
        batches = Batches(store.append)
        running = asyncio.create_task(batches.run())
        for data in numbered(1_234):
            await batches.put(Line("s", data))
        await batches.end()
        await running

    asyncio.run(play())

    assert store.lines == numbered(1_234)
    assert max(map(len, store.batches)) <= batching.SIZE


def test_a_line_alone_does_not_wait_for_others() -> None:
    store = Store()

    async def play() -> None:
        batches = Batches(store.append)
        running = asyncio.create_task(batches.run())
        await batches.put(Line("s", b"a"))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if store.lines:
                break
        assert store.lines == [b"a"]
        await batches.end()
        await running

    asyncio.run(play())


def test_what_the_store_refuses_is_tried_again_in_its_place() -> None:
    store = Store(failures=2)

    async def play() -> None:
        batches = Batches(store.append)
        running = asyncio.create_task(batches.run())
        for data in numbered(1_000):
            await batches.put(Line("s", data))
        await batches.end()
        await running

    asyncio.run(play())

    assert store.lines == numbered(1_000)


def test_while_the_store_is_slow_nothing_is_read_and_nothing_is_lost() -> None:
    store = Store()
    store.may_go_on.clear()
    stream = b"".join(data + b" " + b"x" * 10_000 + b"\n" for data in numbered(5_000))

    async def play() -> int:
        batches = Batches(store.append)
        running = asyncio.create_task(batches.run())
        streams = Streams(Taking("s"), batches)
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        await streams.start(listening, None)
        loop = asyncio.get_running_loop()
        client = socket.create_connection(address)
        client.setblocking(False)
        sent = taken = 0
        for _ in range(50):
            try:
                while sent < len(stream):
                    sent += client.send(stream[sent : sent + 65_536])
            except BlockingIOError:
                await asyncio.sleep(0.01)
        taken = sent
        store.may_go_on.set()
        await loop.sock_sendall(client, stream[sent:])
        client.close()
        for _ in range(3_000):
            if len(store.lines) == 5_000:
                break
            await asyncio.sleep(0.01)
        await streams.stop(5)
        await batches.end()
        await running
        return taken

    taken = asyncio.run(play())

    assert taken < len(stream)
    assert [line[:10] for line in store.lines] == numbered(5_000)


def test_when_told_to_stop_what_was_read_is_stored() -> None:
    store = Store()
    store.may_go_on.clear()

    async def play() -> None:
        batches = Batches(store.append)
        running = asyncio.create_task(batches.run())
        streams = Streams(Taking("s"), batches)
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        await streams.start(listening, None)
        _, writer = await asyncio.open_connection(*address)
        writer.write(b"".join(data + b"\n" for data in numbered(2_000)))
        await writer.drain()
        await asyncio.sleep(0.3)
        store.may_go_on.set()
        await streams.stop(5)
        await batches.end()
        await running
        writer.close()

    asyncio.run(play())

    assert store.lines == numbered(2_000)


@pytest.mark.parametrize(
    "taking",
    [Taking("s", most=0), Taking("s", senders=(ip_network("192.0.2.0/24"),))],
    ids=["one too many", "from where nobody may send"],
)
def test_a_connection_that_may_not_be_is_closed_unheard_and_counted(taking: Taking) -> None:
    store = Store()

    async def play() -> tuple[bytes, int]:
        streams = Streams(taking, Batches(store.append))
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        await streams.start(listening, None)
        reader, writer = await asyncio.open_connection(*address)
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await streams.stop(5)
        return said, streams.refused

    assert asyncio.run(play()) == (b"", 1)
    assert store.lines == []


def test_a_connection_that_is_idle_too_long_is_closed_and_its_rest_is_kept() -> None:
    store = Store()

    async def play() -> None:
        batches = Batches(store.append)
        running = asyncio.create_task(batches.run())
        streams = Streams(Taking("s", idle=0.2), batches)
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        await streams.start(listening, None)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"<13>half")
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await streams.stop(5)
        await batches.end()
        await running

    asyncio.run(play())

    assert store.lines == [b"<13>half"]


def test_datagrams_that_find_no_room_are_counted_as_lost() -> None:
    store = Store()
    store.may_go_on.clear()

    async def play() -> int:
        batches = Batches(store.append)
        datagrams = Datagrams(Taking("s"), batches)
        for data in numbered(batching.ROOM + 7):
            datagrams.datagram_received(data, ("127.0.0.1", 9))
        return datagrams.lost

    assert asyncio.run(play()) == 7


def test_datagrams_that_the_kernel_dropped_are_counted_as_lost() -> None:
    async def play() -> tuple[int, int]:
        taken: list[Line] = []
        batches = Batches(taken.extend)
        datagrams = Datagrams(Taking("s"), batches)
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.bind(("127.0.0.1", 0))
        address = listening.getsockname()
        await datagrams.start(listening)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(200):  # the loop does not turn meanwhile
            sender.sendto(b"<13>" + b"x" * 1000, address)
        running = asyncio.create_task(batches.run())
        await asyncio.sleep(0.5)
        lost = datagrams.lost
        datagrams.stop()
        await batches.end()
        await running
        sender.close()
        return lost, len(taken)

    lost, taken = asyncio.run(play())

    assert lost > 0
    assert lost + taken == 200
