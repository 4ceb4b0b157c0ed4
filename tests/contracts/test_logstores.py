"""Every event store gives the same answers to the same events."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soc.clock import SettableClock
from soc.errors import QueryError
from soc.ingest.parse import Intake
from soc.ingest.parsers.ecs import Ecs
from soc.logs.embedded import EmbeddedLog
from soc.logs.filter import parse
from soc.logs.memory import MemoryLog
from soc.logs.opensearch.store import OpenSearchLog
from soc.logs.port import Search
from soc.model.event import REJECTS, assign
from soc.model.value import EPOCH
from soc.settings import Logs, OpenSearch

T0 = EPOCH + timedelta(days=20_000)
INTAKE = Intake({"ecs": Ecs()})
Stores = Callable[[], Any]


KINDS = [
    "memory",
    "embedded",
    "embedded, sealed",
    "embedded, compacted",
    *(
        pytest.param(kind, marks=[pytest.mark.server, pytest.mark.xdist_group("opensearch")])
        for kind in ("opensearch", "opensearch, sealed")
    ),
]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SettableClock) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryLog()
        return
    if request.param.startswith("opensearch"):
        node = request.getfixturevalue("opensearch")
        clean(node)
        remote = OpenSearch(urls=(node.url,))
        log: Any = OpenSearchLog(tmp_path / "events", Logs(), remote, clock)
    else:
        log = EmbeddedLog(tmp_path / "events", Logs(), clock)
    if "," in request.param:
        log = Sealing(log, compacts="compacted" in request.param)
    yield log
    log.close()


def clean(node: Any) -> None:
    """Remove every index of the store: each test begins with an empty cluster."""
    with suppress(HTTPError):
        node.ask("/soc-*", method="DELETE")


class Sealing:
    """A store that seals after every append, and may also compact."""

    def __init__(self, log: EmbeddedLog, compacts: bool) -> None:
        self._log, self._compacts = log, compacts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, table: Any) -> Any:
        done = self._log.append(table)
        self._log.seal()
        if self._compacts:
            self._log._clock.moment += timedelta(days=2)
            self._log.compact()
        return done


def event(number: int, **more: object) -> dict[str, object]:
    when = T0 + timedelta(minutes=number)
    return {"@timestamp": when.isoformat(), "event": {"dataset": "d", "id": f"e{number}"}, **more}


def put(
    store: Any, *documents: object, at: Any = T0, source: str = "src", data_class: str = "default"
) -> Any:
    lines = [d if isinstance(d, bytes) else orjson.dumps(d) for d in documents]
    columns = INTAKE.table(lines, [None] * len(lines), at)
    classes = [REJECTS if reason else data_class for reason in columns["reason"].to_pylist()]
    return store.append(assign(columns, [source] * len(lines), classes))


def found(store: Any, query: str = "", **more: Any) -> list[int]:
    return [row["seq"] for row in store.search(Search(parse(query), **more))]


def test_numbers_follow_intake_and_duplicates_and_rejects_are_told(store: Any) -> None:
    first = put(store, event(1), b"nope", event(2))
    again = put(store, event(2), event(3))

    assert (first.first, first.last, first.accepted, first.rejected) == (1, 3, 2, 1)
    assert (again.first, again.last, again.kept, again.duplicates) == (4, 4, (False, True), 1)
    batch = store.scan(0, 100)
    assert batch.column("seq") == [1, 3, 4]
    assert batch.upto == 4


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_a_scan_gives_every_event_once_whatever_its_windows(store: Any, limit: int) -> None:
    for number in range(0, 12, 3):
        put(store, *(event(n) for n in range(number, number + 3)), data_class=f"c{number % 2}")
    seen, after = [], 0

    while (batch := store.scan(after, limit)).upto > after:
        seen += batch.column("seq")
        after = batch.upto

    assert seen == list(range(1, 13))


def test_the_newest_come_first_by_when_they_happened(store: Any) -> None:
    put(store, event(5), event(1))
    put(store, event(9), event(5, event={"id": "other"}))

    assert found(store) == [3, 4, 1, 2]
    assert found(store, limit=3) == [3, 4, 1]
    assert found(store, since=T0 + timedelta(minutes=5)) == [3, 4, 1]
    assert found(store, until=T0 + timedelta(minutes=5)) == [2]


DOCUMENTS = (
    event(1, wallet={"address": "0xAB01"}, event={"action": "donate", "id": "1"}, message="A gift of 5"),
    event(2, **{"wallet.address": "0xab02", "event.action": "donate", "event.outcome": "failure"}),
    event(3, process={"name": "nmap", "args": ["-p", "22"]}, message="scan (50% done)"),
    event(4, **{"process.name": "Nmap", "funding": {"amount": {"raw": "1000"}}}),
    event(5, funding={"amount": {"raw": "250"}}, user={"name": "ann"}, tags=["a", "b\\c"]),
    event(6, http={"response": {"status_code": 404}}, ok=True, none=None, message='say "hi"'),
    event(7, http={"response": {"status_code": 20}}, source={"ip": "203.0.113.9"}, url={"path": "/a/b"}),
)  # fmt: skip
QUERIES = {
    "": [7, 6, 5, 4, 3, 2, 1],
    "*": [7, 6, 5, 4, 3, 2, 1],
    "event.action:donate": [2, 1],
    "wallet.address:0xAB01": [1],
    "wallet:0xab*": [2, 1],
    "event.action:donate AND NOT event.outcome:failure": [1],
    "event.action:donate event.outcome:failure": [2],
    "wallet.address:(0xab01 OR 0xab02)": [2, 1],
    "user.name:ann OR process.name:nmap": [5, 3],
    "process.name:nmap": [3],
    "process.name:?map": [4, 3],
    "process.args:22": [3],
    "_exists_:process.name": [4, 3],
    "process.name:*": [4, 3],
    "NOT _exists_:process.name AND _exists_:user.name": [5],
    "gift": [1],
    "GIFT": [1],
    '"of 5"': [1],
    "50%": [3],
    "tags:b\\\\c": [5],
    "tags:a": [5],
    "ok:true": [6],
    "_exists_:none": [],
    "http.response.status_code:[100 TO 500]": [6],
    "http.response.status_code:>=20": [7, 6],
    "http.response.status_code:{20 TO *]": [6],
    "funding.amount.raw:>300": [4],
    "amount:[250 TO 1000]": [5, 4],
    "@timestamp:[2024-10-04T00:03:00Z TO 2024-10-04T00:04:00Z]": [4, 3],
    "soc.seq:>5": [7, 6],
    "source.ip:203.0.113.*": [7],
    'message:"say \\"hi\\""': [6],
    "url.path:\\/a\\/b": [7],
    "raw:*nmap*": [3],
    "NOT (event.action:donate OR amount:*)": [7, 6, 3],
    "soc.source:other": [],
    "-": [],
}


def test_queries_find_what_they_say_and_count_as_many(store: Any) -> None:
    for document in DOCUMENTS:
        put(store, document)

    assert {query: found(store, query) for query in QUERIES} == QUERIES
    for query, numbers in QUERIES.items():
        counted = store.aggregate(Search(parse(query)))
        assert sum(bucket.events for bucket in counted) == len(numbers), query


def test_counts_are_by_columns_and_by_time(store: Any) -> None:
    put(store, event(0, user={"name": "ann"}), event(30, user={"name": "bob"}), event(70))
    put(store, event(65, user={"name": "ann"}))

    buckets = store.aggregate(Search(parse("")), ["user.name"], timedelta(hours=1))

    assert [(b.begin, *b.key, b.events) for b in buckets] == [
        (T0, "ann", 1),
        (T0, "bob", 1),
        (T0 + timedelta(hours=1), None, 1),
        (T0 + timedelta(hours=1), "ann", 1),
    ]


def test_what_cannot_be_counted_by_is_refused(store: Any) -> None:
    with pytest.raises(QueryError, match="counts are made by one of"):
        store.aggregate(Search(parse("")), ["process.name"])


def test_a_dropped_day_is_gone_and_its_numbers_with_it(store: Any) -> None:
    put(store, event(1), event(2), at=T0)
    put(store, event(3), at=T0 + timedelta(days=1))
    put(store, event(4), at=T0, data_class="kept")
    if hasattr(store, "seal"):
        store.seal()

    dropped = store.drop("default", T0.date(), "its time is over")

    assert dropped == 2
    assert store.scan(0, 100).column("seq") == [3, 4]
    assert store.scan(0, 100).upto == 4
    assert put(store, event(9)).first == 5


def test_a_rewrite_removes_what_is_refused_and_nothing_else(store: Any) -> None:
    for number in range(6):
        put(store, event(number, user={"name": f"u{number % 2}"}))

    removed = store.rewrite(
        "default",
        T0.date(),
        lambda table: [u != "u1" for u in table["user_name"].to_pylist()],
        "erasure",
    )

    assert removed == 3
    assert store.scan(0, 100).column("seq") == [1, 3, 5]
    assert found(store, "user.name:u1") == []
    assert store.scan(0, 100).upto == 6
    assert put(store, event(9)).first == 7


@pytest.mark.parametrize("store", KINDS[1:], indirect=True)
def test_questions_about_all_events_have_one_answer_everywhere(store: Any) -> None:
    later = T0 + timedelta(hours=1)
    put(store, event(1), event(90), b"nope", source="it's")
    put(store, event(2, user={"name": "ann"}), at=later, source="other")
    put(store, event(3, event={"id": "x"}), b"nope", at=later)

    asked = store.reader
    assert [(s.source, s.events, s.last_seen, s.parsers) for s in asked.senders()] == [
        ("it's", 2, T0, ("ecs",)),
        ("other", 1, later, ("ecs",)),
        ("src", 1, later, ("ecs",)),
    ]
    # Nothing counts as later than its intake.
    assert asked.newest("dataset", later) == {"d": T0 + timedelta(minutes=2)}
    assert asked.newest("dataset", T0) == {"d": T0}
    assert asked.newest("source", later) == {
        "it's": T0,
        "other": T0 + timedelta(minutes=2),
        "src": T0 + timedelta(minutes=3),
    }
    assert asked.newest("user_name", later) == {"ann": T0 + timedelta(minutes=2)}
    assert [asked.last_intake(n) for n in ("it's", "other", "none")] == [T0, later, None]
    moments = [T0 - timedelta(seconds=1), T0, later]
    assert [asked.last_before(moment).get(0, 0) for moment in moments] == [0, 2, 5]


words = st.sampled_from(["a", "b", "ab", "A", "b c", "", "5", "10", "x*y", "-"])
names = st.sampled_from(["user.name", "process.name", "wallet.address", "message", "x"])
terms = st.one_of(
    st.builds(lambda f, w: f'{f}:"{w}"', names, words),
    st.builds(lambda f: f"{f}:a*", names),
    st.builds(lambda f: f"_exists_:{f}", names),
    st.builds(lambda f: f"{f}:>=7", names),
    st.sampled_from(["a", "b*"]),
)
queries = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds(lambda a, b: f"({a} AND {b})", inner, inner),
        st.builds(lambda a, b: f"({a} OR {b})", inner, inner),
        st.builds(lambda a: f"NOT {a}", inner),
    ),
    max_leaves=5,
)
documents = st.lists(
    st.dictionaries(names, st.one_of(words, st.integers(0, 12), st.none(), st.lists(words, max_size=2)), max_size=4),
    max_size=6,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=documents, query=queries)
def test_the_embedded_store_finds_what_the_plainest_one_does(
    tmp_path_factory: pytest.TempPathFactory,
    clock: SettableClock,
    documents: list[dict[str, Any]],
    query: str,
) -> None:
    plain = MemoryLog()
    log = EmbeddedLog(tmp_path_factory.mktemp("log"), Logs(), clock)
    for number, document in enumerate(documents):
        for one in (plain, log):
            put(one, {"@timestamp": T0.isoformat(), **document})
        if number == 2:
            log.seal()

    assert found(log, query) == found(plain, query)
    log.close()
