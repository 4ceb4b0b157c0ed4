"""Event stores on real clusters, and what is put into them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import orjson

from soc.clock import SettableClock
from soc.ingest.parse import Intake
from soc.ingest.parsers.ecs import Ecs
from soc.logs.filter import parse
from soc.logs.opensearch.store import OpenSearchLog
from soc.logs.port import Search
from soc.model.event import REJECTS, assign
from soc.model.value import EPOCH
from soc.settings import Logs, OpenSearch
from tests.servers.opensearch import Node

T0 = EPOCH + timedelta(days=20_000)
INTAKE = Intake({"ecs": Ecs()})


def wipe(node: Node) -> None:
    """Remove every index and template of the store."""
    for path in ("/soc-*", "/_index_template/commonwatch-events"):
        with suppress(HTTPError):
            node.ask(path, method="DELETE")


def settings(node: Node, **more: Any) -> OpenSearch:
    return OpenSearch(urls=(node.url,), **more)


@contextmanager
def opened(folder: Path, remote: OpenSearch, logs: Logs | None = None) -> Iterator[OpenSearchLog]:
    log = OpenSearchLog(folder, logs or Logs(), remote, SettableClock(T0))
    try:
        yield log
    finally:
        log.close()


def event(number: int, **more: object) -> dict[str, object]:
    when = T0 + timedelta(minutes=number)
    return {"@timestamp": when.isoformat(), "event": {"dataset": "d", "id": f"e{number}"}, **more}


def put(log: OpenSearchLog, *documents: Mapping[str, object], at: Any = T0) -> Any:
    lines = [orjson.dumps(document) for document in documents]
    columns = INTAKE.table(lines, [None] * len(lines), at)
    classes = [REJECTS if reason else "default" for reason in columns["reason"].to_pylist()]
    return log.append(assign(columns, ["src"] * len(lines), classes))


def found(log: OpenSearchLog, query: str = "", **more: Any) -> list[int]:
    return [row["seq"] for row in log.search(Search(parse(query), **more))]


def scanned(log: OpenSearchLog, limit: int = 1_000) -> list[int]:
    seen, after = [], 0
    while (batch := log.scan(after, limit)).upto > after:
        seen += batch.column("seq")
        after = batch.upto
    return seen


def documents(node: Node, path: str = "/soc-*") -> int:
    """Return how many documents the cluster has."""
    node.ask(f"{path}/_refresh", {}, "POST")
    count: int = node.ask(f"{path}/_count")["count"]
    return count
