"""Measure the console: what a page costs the server when there is much to show.

``python -m benchmarks.console [--incidents N] [--write]``: the table of what must hold and what
does; write puts it into docs/benchmarks-console.md. CPU milliseconds of this process, which asks the
application without a socket; p95 over many requests, on a store that is made here.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import insert
from starlette.types import ASGIApp, Message, Scope

from soc.access import keys
from soc.app import home as homes
from soc.app.suite import Suite
from soc.store.session import session
from soc.store.tables import (
    Alert,
    AlertEntity,
    AlertEvent,
    Incident,
    IncidentEntity,
    IncidentNote,
)
from soc.web.app import build
from soc.web.front import Front
from soc.web.server import settle
from tests.servers.postgres import running as postgres_server

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks-console.md"
NOW = datetime.now(UTC)
SEVERITIES = ("critical", "high", "medium", "medium", "low")
STATES = ("new", "in_progress", "on_hold", "resolved", "closed", "closed", "closed", "closed")
QUEUES = (
    "/queue",
    "/queue?mine=1",
    "/queue?kind=security",
    "/queue?due=30",
    "/queue?state=closed",
    "/queue?q=0x00000000000000000000000000000000000012",
    "/queue?q=funded&page=3",
)
ALERTS, NOTES, EVENTS = 1_000, 4_000, 5
MANY = 140
MUST = {"sqlite": 50, "postgresql": 80}


@dataclass(frozen=True)
class Line:
    """A row of the table. must: milliseconds."""

    what: str
    p50: float
    p95: float
    must: float | None


def wallet(number: int) -> str:
    """Return a wallet."""
    return f"wallet:0x{number:040x}"


def fill(suite: Suite, incidents: int) -> None:
    """Put so many incidents into the store, and one with much in it, which is the last."""
    rng = Random(7)
    with session(suite.database) as writing:
        for begin in range(1, incidents + 1, 5_000):
            numbers = range(begin, min(begin + 5_000, incidents + 1))
            rows = [_incident(n, rng) for n in numbers]
            writing.execute(insert(Incident), rows)
            alerts = [_alert(n, n) for n in numbers]
            writing.execute(insert(Alert), alerts)
            entities = [
                {
                    "incident": n,
                    "entity": wallet(n % 70_000),
                    "added": NOW,
                    "by": "soc",
                    "ignored": False,
                }
                for n in numbers
            ]
            writing.execute(insert(IncidentEntity), entities)
            writing.execute(
                insert(AlertEntity), [{"alert": n, "entity": wallet(n % 70_000)} for n in numbers]
            )
        _large(writing, incidents)


def _incident(number: int, rng: Random) -> dict[str, object]:
    state = rng.choice(STATES)
    made = NOW - timedelta(minutes=number % 100_000)
    closed = made + timedelta(hours=1) if state == "closed" else None
    return {
        "id": number,
        "title": f"Wallet {number} funded {number % 90} wallets that gave to one project",
        "severity": rng.choice(SEVERITIES),
        "state": state,
        "operations": number % 11 == 0,
        "monitor": number % 13 == 0,
        "owner": rng.choice(["max", "ines", None]),
        "verdict": "true_positive" if closed else None,
        "tlp": "amber",
        "pap": "green",
        "first": made,
        "created": made,
        "changed": made,
        "closed": closed,
        "resolved": closed,
        "reopened": 0,
    }


def _alert(number: int, incident: int) -> dict[str, object]:
    return {
        "id": number,
        "key": f"k{number}",
        "rule": f"qf-rule-{number % 100}",
        "rule_digest": "sha256:0",
        "title": f"Wallet {number} gave often",
        "severity": "high",
        "entity": wallet(number % 70_000),
        "bucket": NOW,
        "first": NOW,
        "last": NOW,
        "count": 3,
        "state": "in_incident",
        "monitor": False,
        "incident": incident,
        "joined_by": "shares a wallet with this incident",
        "matched_json": '[{"selection":"s","field":"wallet.address","value":"0xab"}]',
        "reasons_json": "[]",
        "author": "",
        "licence": "",
        "created": NOW,
        "changed": NOW,
    }


def _large(writing: object, incidents: int) -> None:
    number = incidents + 1
    row = {**_incident(number, Random(1)), "state": "in_progress", "closed": None, "verdict": None}
    write = writing.execute  # type: ignore[attr-defined]
    write(insert(Incident), [row])
    first = incidents + 1
    alerts = range(first, first + ALERTS)
    write(insert(Alert), [_alert(n, number) for n in alerts])
    names = {wallet(n % 70_000) for n in alerts}
    write(
        insert(IncidentEntity),
        [
            {"incident": number, "entity": name, "added": NOW, "by": "soc", "ignored": False}
            for name in sorted(names)
        ],
    )
    write(
        insert(AlertEvent),
        [
            {
                "alert": n,
                "seq": n * EVENTS + k,
                "ts": NOW,
                "source": "platform",
                "raw": '{"a":1}' * 40,
                "digest": "sha256:0",
            }
            for n in alerts
            for k in range(EVENTS)
        ],
    )
    write(
        insert(IncidentNote),
        [
            {"incident": number, "at": NOW, "author": "user:max", "text": f"Looked at number {n}."}
            for n in range(NOTES)
        ],
    )


class Asker:
    """Asks an application for pages as somebody who is signed in."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._headers = [
            (b"host", b"console"),
            (b"accept", b"text/html"),
            (b"authorization", f"Bearer {token}".encode()),
        ]

    async def get(self, address: str) -> int:
        """Return the status of the page at *address*."""
        path, _, query = address.partition("?")
        told: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            told.append(message)

        await self._app(self._scope(path, query), receive, send)
        return int(told[0]["status"])

    def _scope(self, path: str, query: str) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("console", 80),
        }


@contextmanager
def site(folder: Path, url: str | None, incidents: int) -> Iterator[tuple[Asker, int]]:
    """Give one who is signed in on a filled home, which is served as the front door serves it."""
    homes.create(folder)
    if url:
        (folder / "settings.yml").write_text(f"store: {{url: {url}}}\n")
    suite = Suite(folder)
    fill(suite, incidents)
    with session(suite.database) as writing:
        token = keys.create_token(writing, "bench", "triage", None, NOW)
    log = suite.log()
    try:
        asker = Asker(build(Front(suite, log)), token)
        settle()
        yield asker, incidents + 1
    finally:
        log.close()
        suite.database.dispose()


async def measured(asker: Asker, what: str, paths: list[str], must: float | None) -> Line:
    """Return what requests of *paths* in turn cost in CPU milliseconds."""
    spent = []
    for n in range(MANY + len(paths)):
        began = time.process_time()
        status = await asker.get(paths[n % len(paths)])
        spent.append((time.process_time() - began) * 1000)
        assert status == 200, (paths[n % len(paths)], status)
    late = sorted(spent[len(paths) :])
    return Line(what, late[len(late) // 2], late[int(len(late) * 0.95)], must)


def run(incidents: int) -> Iterator[Line]:
    """Yield every line."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        server.execute("CREATE DATABASE console")
        for name, url in (("sqlite", None), ("postgresql", server.url("console"))):
            with site(Path(folder) / name, url, incidents) as (asker, large):
                page = f"/incidents/INC-{large}"
                wanted: list[tuple[str, list[str], float | None]] = [
                    ("queue, seven filters", list(QUEUES), MUST[name]),
                    *((path, [path], None) for path in QUEUES),
                    ("incident, 1,000 alerts, 5,000 entries", [page], 150),
                ]
                for what, paths, must in wanted:
                    yield asyncio.run(measured(asker, f"{name}: {what}", paths, must))


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=100_000)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    lines = ["| page | p50, CPU ms | p95, CPU ms | must |", "|---|---|---|---|"]
    for line in run(given.incidents):
        must = f"{line.must:g}" if line.must else ""
        lines.append(f"| {line.what} | {line.p50:.1f} | {line.p95:.1f} | {must} |")
        print(lines[-1], flush=True)
    if given.write:
        text = DOCS.read_text()
        begin, end = "<!-- begin -->\n", "<!-- end -->"
        head, tail = text.partition(begin)[0], text.partition(end)[2]
        DOCS.write_text(f"{head}{begin}{chr(10).join(lines)}\n{end}{tail}")


if __name__ == "__main__":
    main()
