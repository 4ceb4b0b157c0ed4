"""How a cluster is asked: again where that may help, not at all while it rests."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from soc.clock import pause
from soc.errors import ClusterDown, LogError
from soc.logs.opensearch.cluster import Cluster, Pace
from soc.settings import OpenSearch

QUICK = Pace(pause=0.001, rests=(0.2, 0.2))
Answer = tuple[int, object]


class Foreign:
    """Something that answers at the address of a cluster, and counts what it is asked."""

    def __init__(self, answer: Callable[[int, bytes], Answer]) -> None:
        self.asked, self._answer = 0, answer
        foreign = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                foreign.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, said = foreign._answer(foreign.asked, body)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PUT = do_GET  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def answering(answer: Callable[[int, bytes], Answer]) -> Iterator[tuple[Foreign, Cluster]]:
    foreign = Foreign(answer)
    thread = Thread(target=foreign.server.serve_forever)
    thread.start()
    cluster = Cluster(OpenSearch(urls=(foreign.url,), timeout=2), QUICK)
    try:
        yield foreign, cluster
    finally:
        cluster.close()
        cluster._client.transport.close()
        foreign.server.shutdown()
        thread.join()
        foreign.server.server_close()


def search(cluster: Cluster) -> object:
    return cluster.search("soc-*", {"size": 0})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_is_busy_is_asked_four_times_and_no_more(status: int) -> None:
    with answering(lambda *_: (status, {"error": {"type": "busy"}})) as (foreign, cluster):
        with pytest.raises(ClusterDown, match=f"does not answer: {status} busy"):
            search(cluster)

        assert foreign.asked == 4


def test_what_is_only_busy_for_a_moment_is_answered() -> None:
    with answering(lambda n, _: (503, {}) if n < 3 else (200, {"hits": {}})) as (foreign, cluster):
        assert search(cluster) == {"hits": {}}
        assert foreign.asked == 3


def test_the_breaker_opens_after_four_failures_and_closes_when_it_answers_again() -> None:
    sick = True

    def answer(*_: object) -> Answer:
        return (503, {}) if sick else (200, {"hits": {}})

    with answering(answer) as (foreign, cluster):
        for _ in range(4):
            with pytest.raises(ClusterDown):
                search(cluster)
        for _ in range(50):
            with pytest.raises(ClusterDown, match="asked again in a moment"):
                search(cluster)
        assert foreign.asked == 16

        sick = False
        pause(0.4)
        assert search(cluster) == {"hits": {}}
        assert foreign.asked == 17
        search(cluster)
        assert foreign.asked == 18


def test_a_breaker_that_closed_too_early_opens_at_once() -> None:
    with answering(lambda *_: (503, {})) as (foreign, cluster):
        for _ in range(4):
            with pytest.raises(ClusterDown):
                search(cluster)
        pause(0.4)
        with pytest.raises(ClusterDown):
            search(cluster)
        asked = foreign.asked
        with pytest.raises(ClusterDown, match="in a moment"):
            search(cluster)

        assert foreign.asked == asked == 20


@pytest.mark.parametrize("said", [b"<html>", b'{"took":'], ids=["page", "half"])
def test_what_is_no_opensearch_is_told_and_never_taken_for_an_answer(said: bytes) -> None:
    with (
        answering(lambda *_: (200, said)) as (_, cluster),
        pytest.raises(ClusterDown, match="is no OpenSearch"),
    ):
        search(cluster)


@pytest.mark.parametrize("said", [{}, {"items": None}, [], {"items": [[]]}, {"items": []}], ids=str)
def test_an_answer_without_results_stores_nothing(said: object) -> None:
    with (
        answering(lambda *_: (200, said)) as (_, cluster),
        pytest.raises(ClusterDown, match="is no OpenSearch"),
    ):
        cluster.bulk([b'{"create":{}}\n{}'])


@pytest.mark.parametrize(
    ("status", "said"),
    [(400, "refuses a request: 400 bad"), (403, "may not do this: bad"), (401, "refuses user")],
)
def test_what_a_person_must_mend_is_asked_once(status: int, said: str) -> None:
    with answering(lambda *_: (status, {"error": {"type": "bad"}})) as (foreign, cluster):
        with pytest.raises(LogError, match=said) as wrong:
            search(cluster)

        assert not isinstance(wrong.value, ClusterDown)
        assert foreign.asked == 1


def bulk_answer(statuses: list[int]) -> Answer:
    return 200, {"items": [{"create": {"status": status}} for status in statuses]}


def test_only_the_documents_that_were_too_many_are_sent_again() -> None:
    sizes = []

    def answer(_: int, body: bytes) -> Answer:
        names = [line for line in body.split(b"\n") if b"doc" in line]
        sizes.append(len(names))
        return bulk_answer([429 if b"late" in n and len(sizes) < 3 else 201 for n in names])

    with answering(answer) as (_, cluster):
        given = [b'{"create":{}}\n{"doc":"%s"}' % w for w in (b"a", b"late", b"b", b"late")]

        assert [r["status"] for r in cluster.bulk(given)] == [201] * 4
        assert sizes == [4, 2, 2]


def test_a_bulk_that_stays_too_much_is_for_later() -> None:
    with answering(lambda *_: bulk_answer([429])) as (foreign, cluster):
        with pytest.raises(ClusterDown, match="too busy for 1 documents"):
            cluster.bulk([b"{}\n{}"])

        assert foreign.asked == 4


def test_a_request_that_is_too_large_is_sent_in_halves_down_to_the_one_that_is() -> None:
    def answer(_: int, body: bytes) -> Answer:
        count = body.count(b'"create"')
        if b"huge" in body:
            return 413, {}
        return bulk_answer([201] * count)

    with answering(answer) as (_, cluster):
        given = [b'{"create":{}}\n{"doc":"%s"}' % w for w in (b"a", b"huge", b"b", b"c")]

        assert [r["status"] for r in cluster.bulk(given)] == [201, 413, 201, 201]


@pytest.mark.parametrize("failed", [1, 3])
def test_shards_that_do_not_answer_are_never_taken_for_empty(failed: int) -> None:
    said = {"count": 0, "_shards": {"total": 3, "failed": failed}}
    with answering(lambda *_: (200, said)) as (_, cluster):
        with pytest.raises(ClusterDown, match=f"{failed} shards"):
            cluster.count("soc-a")
        with pytest.raises(ClusterDown, match=f"{failed} shards"):
            cluster.refresh("soc-a")


def test_a_closed_one_writes_no_more() -> None:
    with answering(lambda *_: bulk_answer([201])) as (foreign, cluster):
        cluster.close()

        with pytest.raises(ClusterDown, match="this process ends"):
            cluster.bulk([b"{}\n{}"])
        assert foreign.asked == 0
