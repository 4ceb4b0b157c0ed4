"""What is acknowledged outlives the cluster, and gets there once, whatever dies in between."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from soc.errors import ClusterDown, LogError
from soc.logs.copying import copy
from soc.logs.opensearch.document import TEMPLATE
from soc.model.shard import first_of
from soc.settings import Logs
from tests.servers import stores
from tests.servers.opensearch import Node
from tests.servers.stores import documents, event, found, opened, put, scanned

pytestmark = [
    pytest.mark.server,
    pytest.mark.xdist_group("opensearch"),
    pytest.mark.timeout(240),
]
DIES = """
import os, signal, sys
from pathlib import Path
from tests.servers.stores import OpenSearch, event, opened, put
with opened(Path(sys.argv[1]), OpenSearch(urls=(sys.argv[2],))) as log:
    for number in range(20, 30):
        put(log, event(number))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def node(opensearch: Node) -> Iterator[Node]:
    """The plain node, empty; a test may kill it."""
    stores.wipe(opensearch)
    yield opensearch
    revive(opensearch)


def revive(node: Node) -> None:
    if node.server and not node.server.is_alive:
        node.launch({"discovery.type": "single-node"})
        node.await_("/_cluster/health?wait_for_status=yellow")


def test_nothing_is_lost_or_doubled_by_an_outage_in_which_the_process_dies_too(
    node: Node, tmp_path: Path
) -> None:
    remote = stores.settings(node)
    with opened(tmp_path, remote) as log:
        put(log, *map(event, range(10)))
        log.seal()
        node.kill()

        taken = put(log, *map(event, range(5, 20)))

        assert (taken.first, taken.last, taken.duplicates) == (11, 20, 5)
        assert log.scan(10, 100).column("seq") == list(range(11, 21))
        with pytest.raises(ClusterDown, match="cannot be reached"):
            found(log)
        log._clock.moment += timedelta(minutes=6)
        log.tick()
        log.settle()
        assert "cannot be reached" in log.problem
    code = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path), node.url],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    ).returncode
    assert code == -signal.SIGKILL

    with opened(tmp_path, remote) as log:
        again = put(log, event(12), event(25), event(30))
        revive(node)
        log.seal()

        assert again.kept == (False, False, True)
        assert scanned(log, 7) == list(range(1, 32))
        assert found(log, limit=3) == [31, 30, 29]
        assert documents(node) == 31
        assert log.problem == ""


def test_an_outage_from_the_first_event_on_hides_nothing(tmp_path: Path) -> None:
    nowhere = stores.OpenSearch(urls=("http://127.0.0.1:9",))
    with opened(tmp_path, nowhere) as log:
        put(log, event(1, user={"name": "ann"}), event(2))

        assert scanned(log) == [1, 2]
        assert found(log, "user.name:ann") == [1]
        assert log.reader.count_rejects() == 0


def test_a_long_outage_makes_no_file_for_each_look(tmp_path: Path) -> None:
    nowhere = stores.OpenSearch(urls=("http://127.0.0.1:9",))
    with opened(tmp_path, nowhere, Logs(seal_rows=4)) as log:
        for number in range(12):
            put(log, event(number))
            log.settle()
            log.tick()

        waiting = len(list((tmp_path / "wal").glob("*.wal")))
        log.settle()
        assert waiting <= 4
        assert scanned(log) == list(range(1, 13))


def test_what_was_sent_before_a_crash_and_not_marked_is_stored_once(
    node: Node, tmp_path: Path
) -> None:
    remote = stores.settings(node)
    with opened(tmp_path, remote) as log:
        put(log, *map(event, range(5)))
        log._prepare()
        log._send(log.scan(0, 100).table.to_pylist())

    with opened(tmp_path, remote) as log:
        put(log, event(3), event(5))
        log.seal()

        assert scanned(log) == [1, 2, 3, 4, 5, 6]
        assert documents(node) == 6


def test_a_half_written_list_of_ids_does_not_keep_the_store_from_opening(
    node: Node, tmp_path: Path
) -> None:
    remote = stores.settings(node)
    with opened(tmp_path, remote) as log:
        put(log, event(1))
        log.seal()
    (tmp_path / "ids" / "00000000000000000002-00000000000000000003.part").write_bytes(b"PAR1")

    with opened(tmp_path, remote) as log:
        assert put(log, event(1), event(2)).kept == (False, True)


def test_the_template_is_put_again_where_the_cluster_was_wiped(node: Node, tmp_path: Path) -> None:
    with opened(tmp_path, stores.settings(node)) as log:
        put(log, event(1))
        log.seal()
        stores.wipe(node)

        put(log, event(2))
        log.seal()

        (there,) = node.ask(f"/_index_template/{TEMPLATE}")["index_templates"]
        assert there["name"] == TEMPLATE
        mapped = next(iter(node.ask("/soc-*/_mapping").values()))["mappings"]["properties"]
        assert mapped["commonwatch"]["properties"]["seq"] == {"type": "long"}
        assert log.scan(1, 10).column("seq") == [2]


def test_a_second_home_with_one_number_loses_nothing_and_is_told(
    node: Node, tmp_path: Path
) -> None:
    remote = stores.settings(node)
    with opened(tmp_path / "one", remote) as log:
        put(log, event(1), event(2))
        log.seal()

    with opened(tmp_path / "two", remote) as log:
        put(log, event(7), event(8))

        with pytest.raises(LogError, match="is another event: a second home"):
            log.seal()
        assert scanned(log) == [1, 2]
        assert documents(node) == 2

    other = stores.settings(node, shard=1)
    with pytest.raises(LogError, match="has events of shard 0"), opened(tmp_path / "two", other):
        pass
    with opened(tmp_path / "three", other) as log:
        assert put(log, event(9)).first == first_of(1) + 1
        log.seal()
        assert documents(node) == 3


def test_a_copy_of_the_store_goes_on_where_the_store_was(node: Node, tmp_path: Path) -> None:
    remote = stores.settings(node)
    with opened(tmp_path / "one", remote) as log:
        put(log, event(1), event(2))
        log.seal()
        put(log, event(3))
        copy(tmp_path / "one", tmp_path / "two")

    with opened(tmp_path / "two", remote) as log:
        assert put(log, event(1), event(3), event(4)).kept == (False, False, True)
        log.seal()
        assert scanned(log) == [1, 2, 3, 4]
        assert documents(node) == 4
