"""What Fluent Bit, Vector, Logstash and others put on the wire, byte by byte: it is stored, and the
answer has what each of them looks for. Their habits are read from their source; none runs here."""

import base64
import json
import socket
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from soc.logs.reader import LogReader
from tests.web.serving import make_home, serving

T = "2026-11-23T12:00:00.000000000Z"
DOCUMENT = '{"@timestamp":"%s","log":"line %d"}'


@dataclass(frozen=True)
class Site:
    home: Path
    port: int
    token: str

    def stored(self, source: str) -> int:
        batch = LogReader(self.home / "events").scan(0, 100_000)
        return batch.column("source").count(source)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site") / "home"
    tokens = make_home(home, "web: {port: 0}\n", shipper="ingest")
    with serving(home, command="front") as served:
        yield Site(home, urlsplit(served.ready[0]).port or 0, tokens["shipper"])


def exchange(site: Site, *requests: bytes, chunk: int = 65_536) -> list[Answer]:
    """Write *requests* to one connection, in pieces; return the answers."""
    with socket.create_connection(("127.0.0.1", site.port), 20) as opened:
        reader = opened.makefile("rb")
        answers = []
        for request in requests:
            for at in range(0, len(request), chunk):
                opened.sendall(request[at : at + chunk])
            answers.append(_answer(reader, is_head=request.startswith(b"HEAD")))
    return answers


def _answer(reader: object, *, is_head: bool) -> Answer:
    lines = iter(reader.readline, b"\r\n")  # type: ignore[attr-defined]
    status = int(next(lines).split()[1])
    headers = {}
    for line in lines:
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    size = 0 if is_head else int(headers.get("content-length", 0))
    return Answer(status, headers, reader.read(size))  # type: ignore[attr-defined]


def request(line: str, body: bytes = b"", **headers: str) -> bytes:
    named = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{line} HTTP/1.1\r\n{head}\r\n".encode() + body


def pairs(count: int, action: str) -> bytes:
    return "".join(f"{action % n}\n{DOCUMENT % (T, n)}\n" for n in range(count)).encode()


def basic(site: Site) -> str:
    return "Basic " + base64.b64encode(f"token:{site.token}".encode()).decode()


def test_fluent_bit_finds_success_in_the_first_4_kilobytes_of_an_answer(site: Site) -> None:
    """out_opensearch reads 4 KB; of a cut answer it accepts these bytes alone."""
    body = pairs(500, '{"create":{"_index":"fluent-bit","_id":"fb-%d"}}')
    sent = request(
        "POST /_bulk",
        body,
        Authorization=basic(site),
        User_Agent="Fluent-Bit",
        Content_Type="application/x-ndjson",
        Connection="keep-alive",
    )

    first, again = exchange(site, sent, sent)

    assert (first.status, again.status) == (200, 200)
    assert len(first.body) > 4096
    for answer in (first, again):
        assert answer.body[:4096].startswith(b'{"took":')
        assert b'"errors":false,"items":[' in answer.body[:4096]
    assert site.stored("fluent-bit") == 500


def test_vector_finds_no_error_and_its_health_check_is_answered(site: Site) -> None:
    """sinks/elasticsearch asks /_cluster/health, and looks for ``"errors":true`` in the answer."""
    packer = zlib.compressobj(wbits=31)
    plain = pairs(100, '{"create":{"_index":"vector","_id":"v-%d","_type":"_doc"}}')
    body = packer.compress(plain) + packer.flush()
    token = f"Bearer {site.token}"

    health, answer = exchange(
        site,
        request("GET /_cluster/health", Authorization=token, User_Agent="Vector/0.43.1"),
        request(
            "POST /_bulk?timeout=60s&pipeline=none",
            body,
            Authorization=token,
            Content_Encoding="gzip",
            Content_Type="application/x-ndjson",
            Accept_Encoding="gzip",
        ),
        chunk=1_000,
    )

    assert health.status == answer.status == 200
    assert b'"errors":true' not in answer.body
    assert site.stored("vector") == 100


def test_logstash_shakes_hands_and_is_told_a_version(site: Site) -> None:
    """pool.rb: HEAD / is its health check, GET / its version, then templates and _license."""
    asking = {"Authorization": basic(site), "User_Agent": "logstash/8.17.0 (OS=Linux)"}
    json_ = {**asking, "Content_Type": "application/json"}

    head, root, licence, template, put, answer = exchange(
        site,
        request("HEAD /", **asking),
        request("GET /", **asking),
        request("GET /_license", **asking),
        request("HEAD /_index_template/logstash", **asking),
        request("PUT /_index_template/logstash", b'{"index_patterns":["logstash-*"]}', **json_),
        request("POST /_bulk?filter_path=errors,items.*.error", pairs(50, '{"index":{"_index":"logstash","_id":"l-%d"}}'), **json_),
    )  # fmt: skip

    assert [a.status for a in (head, root, licence, template, put, answer)] == [200] * 6
    assert json.loads(root.body)["version"] == {"number": "2.19.0", "distribution": "opensearch", "build_flavor": "default"}  # fmt: skip
    assert json.loads(licence.body)["license"]["status"] == "active"
    assert json.loads(answer.body)["errors"] is False
    assert site.stored("logstash") == 50


@pytest.mark.parametrize("version", [7, 8, 9])
def test_clients_of_elastic_may_name_the_version_that_they_want(site: Site, version: int) -> None:
    """elasticsearch-py puts it into the media type, and wants this header on every answer."""
    kind = f"application/vnd.elasticsearch+x-ndjson; compatible-with={version}"
    body = pairs(10, f'{{"create":{{"_index":"elastic-{version}","_id":"%d"}}}}')

    (answer,) = exchange(
        site,
        request("PUT /_bulk", body, Authorization=f"ApiKey {site.token}", Content_Type=kind, Accept=kind.replace("x-ndjson", "json")),
    )  # fmt: skip

    assert (answer.status, answer.headers["x-elastic-product"]) == (200, "Elasticsearch")
    assert site.stored(f"elastic-{version}") == 10


def test_filebeat_sends_chunks_and_asks_for_its_lifecycle(site: Site) -> None:
    """libbeat asks for licence, template and policy, and sends its body in chunks."""
    body = pairs(20, '{"create":{"_index":"filebeat","_id":"f-%d"}}')
    parts = [body[at : at + 700] for at in range(0, len(body), 700)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    head = (
        "POST /_bulk HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Elastic-filebeat/8.17.0\r\n"
        f"Authorization: {basic(site)}\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: application/json; charset=UTF-8\r\n\r\n"
    )

    policy, answer = exchange(
        site,
        request("GET /_ilm/policy/filebeat", Authorization=basic(site)),
        head.encode() + chunks,
    )

    assert (policy.status, answer.status) == (200, 200)
    assert site.stored("filebeat") == 20


def test_rsyslog_sends_a_blank_line_after_each_document_and_no_name(site: Site) -> None:
    body = "".join(
        f'{{"create":{{"_index":"rsyslog","_id":"r-{n}"}}}}\n{DOCUMENT % (T, n)}\n\n'
        for n in range(30)
    ).encode()
    kind = "application/json; charset=utf-8"

    health, answer = exchange(
        site,
        request("GET /_cat/health"),
        request("POST /_bulk", body, Authorization=basic(site), Content_Type=kind),
    )

    assert (health.status, answer.status) == (200, 200)
    assert site.stored("rsyslog") == 30


def test_a_token_as_a_password_is_believed_and_another_word_is_not(site: Site) -> None:
    wrong = "Basic " + base64.b64encode(b"token:soc_wrong").decode()

    answers = exchange(
        site,
        request("POST /s/_bulk", Authorization=wrong),
        request("POST /s/_bulk", Authorization="Basic ???"),
        request("POST /s/_bulk", Authorization=basic(site)),
    )

    assert [answer.status for answer in answers] == [401, 401, 200]
