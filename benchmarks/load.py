"""Send events to ``/_bulk`` over several connections, as fast as they are acknowledged.

``python benchmarks/load.py URL TOKEN --events 400000 --size 500 --connections 4`` prints one JSON
object: events acknowledged in a second, and how long requests took.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from urllib.parse import urlsplit

from events import lines

UNIQUE = 200_000


def bodies(count: int, size: int) -> list[bytes]:
    """Return ``_bulk`` bodies of *size* events each; every event has an id."""
    found = list(lines(min(count, UNIQUE)))
    made = []
    for begin in range(0, len(found), size):
        pairs = (
            b'{"create":{"_id":"%06x-%d"}}\n%b\n' % (0, begin + n, line)
            for n, line in enumerate(found[begin : begin + size])
        )
        made.append(b"".join(pairs))
    return made


class Client:
    """Shares the bodies out among its connections; each pass over them has ids of its own."""

    def __init__(self, url: str, token: str, made: list[bytes], events: int, size: int) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname, address.port
        self._prefix = address.path.rstrip("/")
        self._token, self._made, self._size = token, made, size
        self._left = events // size
        self._next = 0
        self.took: list[float] = []
        self.statuses: Counter[int] = Counter()

    def _body(self) -> bytes | None:
        if self._next >= self._left:
            return None
        turn, place = divmod(self._next, len(self._made))
        self._next += 1
        return self._made[place].replace(b'"_id":"000000-', b'"_id":"%06x-' % turn)

    async def work(self) -> None:
        """Send until nothing is left."""
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 24)
        while (body := self._body()) is not None:
            head = (
                f"POST {self._prefix}/bench/_bulk HTTP/1.1\r\nHost: x\r\nUser-Agent: bench\r\n"
                f"Authorization: {self._token}\r\nContent-Type: application/x-ndjson\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            began = time.perf_counter()
            writer.write(head.encode() + body)
            await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in answer.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            said = await reader.readexactly(length)
            self.took.append(time.perf_counter() - began)
            self.statuses[int(answer.split()[1])] += b'"errors":false' in said
        writer.close()


async def run(client: Client, connections: int) -> float:
    """Return how many seconds all connections took together."""
    began = time.perf_counter()
    await asyncio.gather(*(client.work() for _ in range(connections)))
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
    seconds = asyncio.run(run(client, given.connections))
    took = sorted(client.took)
    result = {
        "events": client.statuses[200] * given.size,
        "events_per_second": round(client.statuses[200] * given.size / seconds),
        "p50_ms": round(took[len(took) // 2] * 1000, 1),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 1),
        "max_ms": round(took[-1] * 1000, 1),
        "refused": sum(1 for _ in took) - client.statuses[200],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
