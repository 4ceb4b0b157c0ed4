"""``_bulk`` as shippers speak it: durable before the answer, and never a 5xx."""

import gzip
import json

import pytest
from starlette.testclient import TestClient

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

    assert first == {"asked": 1, "accepted": 1, "duplicates": 0}
    assert second == {"asked": 1, "accepted": 0, "duplicates": 1}
    assert front.log.reader.scan(0, 10).documents == [{"@timestamp": T, "n": 1}]
