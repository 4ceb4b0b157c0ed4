"""``_bulk`` as shippers speak it: durable before the answer, and never a 5xx."""

import gzip
import json
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.web.app import build
from soc.web.front import Front

T = "2026-11-23T12:00:00Z"
Headers = dict[str, dict[str, str]]


def body(*documents: object, **about: str) -> bytes:
    lines = []
    for number, document in enumerate(documents):
        lines += [json.dumps({"create": {"_index": "src", "_id": f"id{number}", **about}})]
        lines += [document if isinstance(document, str) else json.dumps(document)]
    return "\n".join([*lines, ""]).encode()


def test_what_is_answered_is_stored(client: TestClient, front: Front, tokens: Headers) -> None:
    answer = client.post(
        "/_bulk", content=body({"@timestamp": T}, "nope"), headers=tokens["ingest"]
    )

    assert answer.status_code == 200
    assert answer.text.startswith('{"took":')
    assert '"errors":false,"items":[' in answer.text
    assert [item["create"]["status"] for item in answer.json()["items"]] == [201, 201]
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    assert front.log.reader.scan(0, 10).column("source") == ["src"]
    assert front.log.reader.rejects().column("raw").to_pylist() == ["nope"]


def test_a_known_id_is_a_success_that_stores_nothing(
    client: TestClient, front: Front, tokens: Headers
) -> None:
    for status in (201, 200):
        answer = client.put("/_bulk", content=body({"@timestamp": T}), headers=tokens["ingest"])
        assert answer.json()["errors"] is False
        assert answer.json()["items"][0]["create"]["status"] == status

    assert len(front.log.reader.scan(0, 10)) == 1


def test_gzip_an_index_in_the_path_and_unknown_parameters(
    client: TestClient, front: Front, tokens: Headers
) -> None:
    packed = gzip.compress(b'{"index":{}}\n{"@timestamp":"' + T.encode() + b'"}\n')
    headers = {**tokens["ingest"], "Content-Encoding": "gzip"}

    answer = client.post("/other/_bulk?timeout=1m&pipeline=x", content=packed, headers=headers)

    assert answer.status_code == 200
    assert front.log.reader.scan(0, 10).column("source") == ["other"]


REFUSED = {
    "truncated gzip": (gzip.compress(b"x" * 1000)[:-9], {"Content-Encoding": "gzip"}, 400),
    "garbage after gzip": (
        gzip.compress(b'{"create":{}}\n{}\n') + b"hello",
        {"Content-Encoding": "gzip"},
        400,
    ),
    "a thousand empty members": (gzip.compress(b"") * 1001, {"Content-Encoding": "gzip"}, 400),
    "no gzip": (b"hello", {"Content-Encoding": "gzip"}, 400),
    "another encoding": (b"hello", {"Content-Encoding": "br"}, 400),
    "a bomb": (gzip.compress(b"\n" * (65 * 1024 * 1024)), {"Content-Encoding": "gzip"}, 413),
    "no pair": (b'{"create":{}}\n', {}, 400),
}


@pytest.mark.parametrize(("content", "headers", "status"), REFUSED.values(), ids=REFUSED)
def test_a_body_that_cannot_be_read_is_refused_whole(
    client: TestClient,
    front: Front,
    tokens: Headers,
    content: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = client.post("/_bulk", content=content, headers={**tokens["ingest"], **headers})

    assert answer.status_code == status
    assert answer.json()["error"]["reason"]
    assert front.log.reader.view().upto == 0


def test_every_member_of_a_gzip_body_is_stored(
    client: TestClient, front: Front, tokens: Headers
) -> None:
    """RFC 1952: a gzip file is a series of members, as a shipper that appends writes it."""
    members = [gzip.compress(body({"@timestamp": T, "n": n}, _id=f"m{n}")) for n in range(3)]
    headers = {**tokens["ingest"], "Content-Encoding": "gzip"}

    answer = client.post("/_bulk", content=b"".join(members), headers=headers)

    assert len(answer.json()["items"]) == 3
    assert len(front.log.reader.scan(0, 10)) == 3


def test_a_body_of_too_many_events_is_refused_before_it_is_unpacked(
    home: Path, clock: SettableClock, tokens: Headers
) -> None:
    (home / "settings.yml").write_text("web: {max_items: 4}\n")
    suite = Suite(home, clock)
    log = suite.log()
    deletes = b'{"delete":{}}\n' * 5
    statuses = {}
    with TestClient(build(Front(suite, log))) as client:
        for count in (4, 5):
            pairs = body(*({"@timestamp": T, "n": n} for n in range(count)), _id=f"c{count}")
            lines = b'{"@timestamp": "%s"}\n' % T.encode() * count
            statuses[count] = [
                client.post("/s/_bulk", content=pairs, headers=tokens["ingest"]).status_code,
                client.post("/api/v1/ingest", content=lines, headers=tokens["ingest"]).status_code,
            ]
        refused = client.post("/s/_bulk", content=deletes, headers=tokens["ingest"]).status_code

    assert (statuses, refused) == ({4: [200, 200], 5: [413, 413]}, 413)
    log.close()
    suite.database.dispose()


@pytest.mark.parametrize("name", ["s" * 129, "a\u0007b"], ids=["long", "unprintable"])
def test_a_source_needs_a_name_that_people_can_read(
    client: TestClient, front: Front, tokens: Headers, name: str
) -> None:
    pair = body({"@timestamp": T}, _index=name)
    lines = json.dumps({"@timestamp": T})

    bulk = client.post("/_bulk", content=pair, headers=tokens["ingest"])
    plain = client.post(
        "/api/v1/ingest", params={"source": name}, content=lines, headers=tokens["ingest"]
    )

    assert (bulk.status_code, plain.status_code) == (400, 400)
    assert front.log.reader.view().upto == 0


@pytest.mark.parametrize("query", ["source=", "format=bogus"])
def test_no_source_and_no_such_format_are_refused(
    client: TestClient, front: Front, tokens: Headers, query: str
) -> None:
    lines = json.dumps({"@timestamp": T})

    answer = client.post(f"/api/v1/ingest?{query}", content=lines, headers=tokens["ingest"])

    assert answer.status_code == 400
    assert front.log.reader.view().upto == 0


@pytest.mark.parametrize(
    ("scope", "status"), [(None, 401), ("read", 403), ("authz", 403), ("ingest", 200)]
)
def test_only_a_token_that_may_ingest_does(
    client: TestClient, tokens: Headers, scope: str | None, status: int
) -> None:
    headers = tokens[scope] if scope else {}

    assert client.post("/_bulk", content=b"", headers=headers).status_code == status


@pytest.mark.parametrize(
    "path",
    ["/", "/_cluster/health", "/_cat/health", "/_license", "/_nodes/http", "/_index_template/x"],
)
def test_the_questions_that_shippers_ask_first_are_answered(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.headers["x-elastic-product"] == "Elasticsearch"


def test_rejects_are_replayed_once(client: TestClient, front: Front, tokens: Headers) -> None:
    """A line that an earlier version could not read becomes an event, however often it is asked."""
    line = json.dumps({"@timestamp": T, "n": 1})
    client.post("/api/v1/ingest?source=s&format=nginx", content=line, headers=tokens["ingest"])
    assert len(front.log.reader.rejects()) == 1

    first = client.post("/api/v1/rejects/replay", headers=tokens["ingest"]).json()
    second = client.post("/api/v1/rejects/replay", headers=tokens["ingest"]).json()

    assert first == {"asked": 1, "accepted": 1, "duplicates": 0, "last_seq": 1}
    assert second == {"asked": 1, "accepted": 0, "duplicates": 1, "last_seq": 1}
    (raw,) = front.log.reader.scan(0, 10).column("raw")
    assert orjson.loads(raw) == {"@timestamp": T, "n": 1}
