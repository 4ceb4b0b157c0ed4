"""A cluster of three loses its manager while events are appended and scanned: nobody notices."""

from pathlib import Path
from threading import Thread

import pytest

from soc.errors import ClusterDown
from soc.logs.filter import parse
from soc.logs.opensearch.store import OpenSearchLog
from soc.logs.port import Search
from soc.settings import Logs
from tests.servers.opensearch import Cluster
from tests.servers.stores import OpenSearch, event, opened, put, scanned

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("opensearch")]
BATCHES, SIZE = 40, 50


@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_while_the_manager_dies(
    cluster: Cluster, tmp_path: Path
) -> None:
    remote = OpenSearch(urls=tuple(cluster.urls))
    with opened(tmp_path, remote, Logs(seal_rows=200)) as log:
        put(log, *(event(n) for n in range(SIZE)))
        patiently(log)
        cluster.alive()[0].ask("/_cluster/health/soc-*?wait_for_status=green&timeout=30s")
        pages = log.search(Search(parse(""), limit=100_000))
        first = next(pages)["seq"]
        killer = Thread(target=cluster.kill_manager)

        for batch in range(1, BATCHES):
            put(log, *(event(n) for n in range(batch * SIZE, (batch + 1) * SIZE)))
            if batch == BATCHES // 3:
                killer.start()
            if batch % 5 == 0:
                assert sorted(patient_scan(log)) == list(range(1, (batch + 1) * SIZE + 1))
        killer.join()
        patiently(log)

        total = BATCHES * SIZE
        assert patient_scan(log) == list(range(1, total + 1))
        assert [first, *(row["seq"] for row in pages)] == list(range(SIZE, 0, -1))
        (counted,) = log.aggregate(Search(parse("")))
        assert counted.events == total
        assert len(cluster.alive()) == 2


def patiently(log: OpenSearchLog) -> None:
    for _ in range(60):
        try:
            log.seal()
        except ClusterDown:
            log._cluster._closed.wait(0.5)
        else:
            return
    raise AssertionError(log.problem)


def patient_scan(log: OpenSearchLog) -> list[int]:
    """Scan as workers do: what the cluster cannot answer now is asked again, never taken as done."""
    for _ in range(60):
        try:
            return scanned(log, 333)
        except ClusterDown:
            log._cluster._closed.wait(0.5)
    raise AssertionError("never answered")
