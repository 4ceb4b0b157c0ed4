"""The OpenSearch that other tests use is a real one."""

import ssl
import time
import urllib.error
import urllib.request

import pytest

from tests.servers.opensearch import Cluster, Node

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("opensearch")]


def test_a_node_finds_what_was_put_into_it(opensearch: Node) -> None:
    opensearch.ask("/smoke/_doc/1?refresh=true", {"wallet": "0xbad"}, "PUT")

    assert opensearch.ask("/smoke/_search?q=wallet:0xbad")["hits"]["total"]["value"] == 1


def test_a_guarded_node_answers_nobody_without_its_password(guarded: Node) -> None:
    context = ssl.create_default_context(cafile=str(guarded.authority))

    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(guarded.url, timeout=10, context=context)

    assert guarded.ask("/_plugins/_security/authinfo")["user_name"] == "admin"


@pytest.mark.timeout(240)
def test_a_cluster_lives_on_when_its_manager_is_killed(cluster: Cluster) -> None:
    replicas = {"settings": {"number_of_replicas": 1}}
    cluster.alive()[0].ask("/smoke", replicas, "PUT")
    cluster.alive()[0].ask("/smoke/_doc/1?refresh=true", {"wallet": "0xbad"}, "PUT")
    cluster.alive()[0].ask("/_cluster/health/smoke?wait_for_status=green&timeout=15s")

    killed = cluster.kill_manager()

    assert killed not in cluster.alive()
    assert _found(cluster) == 1
    assert cluster.manager() is not killed


def _found(cluster: Cluster) -> int:
    """Return how many documents there are, once the others have elected a manager."""
    end = time.monotonic() + 60
    while True:
        try:
            found: int = cluster.alive()[0].ask("/smoke/_search")["hits"]["total"]["value"]
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return found
