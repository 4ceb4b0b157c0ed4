"""Send events to ``/_bulk`` over several connections, as fast as they are acknowledged.

``python benchmarks/load.py URL TOKEN --events 400000 --size 500 --connections 4`` prints one JSON
object: events acknowledged in a second, how long requests took, and what the client itself cost.
It makes all bodies before, and then only sends: a thread and a socket for each connection.
"""

import argparse
import json
import socket
import threading
import time
from collections import Counter
from itertools import count
from urllib.parse import urlsplit

from events import lines

UNIQUE = 200_000


def bodies(count: int, size: int) -> list[bytes]:
    """Return ``_bulk`` bodies of *size* events each; every event has an id."""
    found = list(lines(min(count, UNIQUE)))
    made = []
    for begin in range(0, len(found), size):
        pairs = (
            b'{"create":{"_id":"%d"}}\n%b\n' % (begin + n, line)
            for n, line in enumerate(found[begin : begin + size])
        )
        made.append(b"".join(pairs))
    return made


class Client:
    """Shares the bodies out among its connections; each pass over them has an index of its own.

    Ids are unique within an index, so nothing that is sent is a duplicate.
    """

    def __init__(self, url: str, token: str, made: list[bytes], events: int, size: int) -> None:
        address = urlsplit(url)
        self._address = address.hostname or "", address.port or 80
        self._prefix = address.path.rstrip("/")
        self._token, self._made = token, made
        self._all = events // size
        self._numbers = count()
        self.took: list[float] = []
        self.statuses: Counter[int] = Counter()

    def work(self) -> None:
        """Send until nothing is left."""
        with socket.create_connection(self._address) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (number := next(self._numbers)) < self._all:
                turn, place = divmod(number, len(self._made))
                body = self._made[place]
                head = self._head(turn, len(body))
                began = time.perf_counter()
                connection.sendall(head)
                connection.sendall(body)
                status, said = answer(connection)
                self.took.append(time.perf_counter() - began)
                self.statuses[status] += b'"errors":false' in said

    def _head(self, turn: int, length: int) -> bytes:
        return (
            f"POST {self._prefix}/bench-{turn}/_bulk HTTP/1.1\r\nHost: x\r\nUser-Agent: bench\r\n"
            f"Authorization: {self._token}\r\nContent-Type: application/x-ndjson\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Return the status and the body of the next answer."""
    found = b""
    while b"\r\n\r\n" not in found:
        if not (more := connection.recv(1 << 18)):
            raise ConnectionError("the server hung up")
        found += more
    head, _, said = found.partition(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length:")[2].split()[0]) - len(said)
    parts = [said]
    while left > 0:
        if not (more := connection.recv(left)):
            raise ConnectionError("the server hung up")
        parts.append(more)
        left -= len(more)
    return int(head.split()[1]), b"".join(parts)


def run(client: Client, connections: int) -> float:
    """Return how many seconds all connections took together."""
    threads = [threading.Thread(target=client.work) for _ in range(connections)]
    began = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return time.perf_counter() - began


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    given = parser.parse_args()
    made = bodies(given.events, given.size)
    client = Client(given.url, given.token, made, given.events, given.size)
    before = time.process_time()
    seconds = run(client, given.connections)
    spent = time.process_time() - before
    took = sorted(client.took)
    result = {
        "events": client.statuses[200] * given.size,
        "events_per_second": round(client.statuses[200] * given.size / seconds),
        "p50_ms": round(took[len(took) // 2] * 1000, 1),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 1),
        "max_ms": round(took[-1] * 1000, 1),
        "refused": len(took) - client.statuses[200],
        "cpu_seconds": round(spent, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
