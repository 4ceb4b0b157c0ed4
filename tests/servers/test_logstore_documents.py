"""What the cluster does not take as it is, is kept with less, and found all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soc.errors import LogError
from soc.logs.opensearch.store import OpenSearchLog
from tests.servers import stores
from tests.servers.opensearch import Node
from tests.servers.stores import T0, documents, event, found, opened, put, scanned

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("opensearch")]
ANN = {"user": {"name": "ann"}}
TOOL = {"process": {"name": "tool"}}
LONG = "x" * 40_000
UNFIT = {
    "an object where text was": [{"a": "text"}, {"a": {"b": 1}}],
    "text where an object was": [{"a": {"b": 1}}, {"a": "text"}],
    "more fields than an index has": [{}, {"wide": {f"f{n}": n for n in range(2_100)}}],
    "a name that is none": [{}, {"": 1}],
    "a name with an empty part": [{}, {"a..b": 1}],
    "a field of the cluster's own": [{}, {"_id": "7"}],
    "deeper than an index goes": [{}, {"d": eval("{'d':" * 30 + "1" + "}" * 30)}],
}


@pytest.fixture
def log(opensearch: Node, tmp_path: Path) -> Iterator[OpenSearchLog]:
    stores.wipe(opensearch)
    with opened(tmp_path, stores.settings(opensearch)) as log:
        yield log


@pytest.mark.parametrize("given", UNFIT.values(), ids=list(UNFIT))
def test_what_the_mapping_refuses_is_kept_with_its_columns_and_found(
    log: OpenSearchLog, opensearch: Node, given: list[dict[str, object]]
) -> None:
    put(log, *(event(n, **ANN, **TOOL, **more) for n, more in enumerate(given)))
    log.seal()

    assert scanned(log) == [1, 2]
    assert found(log, "user.name:ann") == [2, 1]
    assert log.reader.count_rejects() == 0
    assert found(log, "process.name:tool") == [2, 1]


def test_a_refused_event_keeps_its_columns_alone(log: OpenSearchLog, opensearch: Node) -> None:
    put(log, event(1, **ANN, a={"b": 1}), event(2, **ANN, a="text"))
    log.seal()

    (hit,) = opensearch.ask("/soc-*/_search?q=soc.seq:2")["hits"]["hits"]
    assert sorted(hit["_source"]) == ["commonwatch", "soc"]
    assert hit["_source"]["commonwatch"]["user_name"] == "ann"


def test_text_of_40_kb_is_kept_whole_and_found(log: OpenSearchLog) -> None:
    put(log, event(1, user={"name": LONG}), event(2, **ANN, process={"name": LONG}))
    put(log, event(3, message=f"say {LONG}"), event(4, user={"name": "\U0001f600" * 10_000}))
    log.seal()

    assert found(log, "_exists_:user.name") == [4, 2, 1]
    assert found(log, "NOT user.name:ann") == [4, 3, 1]
    assert found(log, f"process.name:{'x' * 4_000}*") == [2]
    assert found(log, "say") == [3]
    assert [len(raw) > 10_000 for raw in log.scan(0, 9).column("raw")] == [True] * 4
    assert log.reader.count_rejects() == 0


def test_what_is_refused_even_then_is_a_reject_with_its_reason(
    log: OpenSearchLog, opensearch: Node
) -> None:
    broken = {
        "mappings": {"properties": {"commonwatch": {"properties": {"user_name": {"type": "date"}}}}}
    }
    strict = {"settings": {"index.mapping.ignore_malformed": False}, **broken}
    opensearch.ask(f"/soc-default-{T0.date()}", strict, "PUT")

    put(log, event(1, **ANN), event(2))
    log.seal()

    (reject,) = log.reader.rejects().to_pylist()
    assert reject["seq"] == 1
    assert reject["reason"] == "OpenSearch refused it: mapper_parsing_exception"
    assert '"ann"' in reject["raw"]
    assert scanned(log) == [2]
    assert log.scan(0, 10).upto == 2


@pytest.mark.parametrize("block", ["read_only", "write"])
def test_an_index_that_takes_nothing_makes_no_reject_of_anything(
    log: OpenSearchLog, opensearch: Node, block: str
) -> None:
    put(log, event(1))
    log.seal()
    index = f"/soc-default-{T0.date()}"
    opensearch.ask(f"{index}/_settings", {f"index.blocks.{block}": True}, "PUT")
    put(log, event(2))

    with pytest.raises(LogError, match="takes no events"):
        log.seal()
    assert log.reader.scan(1, 10).column("seq") == [2]

    opensearch.ask(f"{index}/_settings", {f"index.blocks.{block}": None}, "PUT")
    log.seal()
    assert scanned(log) == [1, 2]
    assert log.reader.count_rejects() == 0


def test_a_closed_index_makes_no_reject_of_anything(log: OpenSearchLog, opensearch: Node) -> None:
    put(log, event(1))
    log.seal()
    index = f"/soc-default-{T0.date()}"
    opensearch.ask(f"{index}/_close", {}, "POST")
    put(log, event(2))

    with pytest.raises(LogError, match="takes no events"):
        log.seal()

    opensearch.ask(f"{index}/_open", {}, "POST")
    log.seal()
    assert scanned(log) == [1, 2]


def test_many_large_events_fit_into_requests_that_the_cluster_takes(
    log: OpenSearchLog, opensearch: Node
) -> None:
    put(log, *(event(n, note="y" * 1_000_000) for n in range(60)))
    log.seal()

    assert documents(opensearch) == 60
    assert len(scanned(log)) == 60
