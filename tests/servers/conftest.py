from collections.abc import Iterator

import pytest

from tests.servers import machine, opensearch
from tests.servers.opensearch import Cluster, Node


@pytest.fixture(scope="module")
def guarded() -> Iterator[Node]:
    """One OpenSearch with TLS and log-in."""
    with machine.obtained(opensearch.guarded()) as node:
        yield node


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Three OpenSearch nodes, for one test: it may kill them."""
    with machine.obtained(opensearch.cluster()) as cluster:
        yield cluster
