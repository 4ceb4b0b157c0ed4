"""``/v1/logs`` as the protocol has it, and with the exporter that applications really use."""

import gzip
from pathlib import Path

import pytest
from google.protobuf.message import Message
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.sdk import _logs as sdk
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource as SdkResource
from starlette.testclient import TestClient

from soc.logs.reader import LogReader
from soc.web.front import Front
from soc.web.turns import Turns
from tests.web.serving import make_home, serving

Headers = dict[str, dict[str, str]]
PROTOBUF, JSON = "application/x-protobuf", "application/json"
NANOS = 1_795_435_200_000_000_000


def request(*records: LogRecord, service: str = "shop") -> bytes:
    named = KeyValue(key="service.name", value=AnyValue(string_value=service))
    groups = [
        ResourceLogs(
            resource=Resource(attributes=[named]), scope_logs=[ScopeLogs(log_records=records)]
        )
    ]
    return ExportLogsServiceRequest(resource_logs=groups).SerializeToString()


def parsed(content: bytes, kind: type[Message] = ExportLogsServiceResponse) -> Message:
    message = kind()
    message.ParseFromString(content)
    return message


GOOD = LogRecord(time_unix_nano=NANOS, body=AnyValue(string_value="hello"))
LONG = LogRecord(time_unix_nano=NANOS, body=AnyValue(string_value="x" * 1_100_000))


def test_what_is_answered_is_stored(client: TestClient, front: Front, tokens: Headers) -> None:
    headers = {**tokens["ingest"], "Content-Type": PROTOBUF, "Content-Encoding": "gzip"}

    answer = client.post("/v1/logs", content=gzip.compress(request(GOOD, GOOD)), headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
    assert parsed(answer.content) == ExportLogsServiceResponse()
    batch = front.log.reader.scan(0, 10)
    assert (batch.column("source"), batch.column("message")) == (["shop"] * 2, ["hello"] * 2)


def test_what_no_parser_takes_is_kept_and_told_as_a_partial_success(
    client: TestClient, front: Front, tokens: Headers
) -> None:
    headers = {**tokens["ingest"], "Content-Type": PROTOBUF}
    document = {"logRecords": [{"body": {"stringValue": "x" * 1_100_000}}]}

    answer = client.post("/v1/logs", content=request(GOOD, LONG), headers=headers)
    told = client.post(
        "/v1/logs", json={"resourceLogs": [{"scopeLogs": [document]}]}, headers=tokens["ingest"]
    )

    response = parsed(answer.content)
    assert answer.status_code == told.status_code == 200
    assert response.partial_success.rejected_log_records == 1  # type: ignore[attr-defined]
    assert told.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    assert "kept as rejects" in told.json()["partialSuccess"]["errorMessage"]
    assert front.log.reader.count_rejects() == 2
    assert front.log.reader.scan(0, 10).column("message") == ["hello"]


def test_json_is_answered_in_json(client: TestClient, front: Front, tokens: Headers) -> None:
    body = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}'
    headers = {**tokens["ingest"], "Content-Type": f"{JSON}; charset=utf-8"}

    answer = client.post("/v1/logs", content=body, headers=headers)

    assert (answer.status_code, answer.json()) == (200, {})
    assert front.log.reader.scan(0, 10).column("source") == ["otlp"]


def test_nothing_in_a_request_is_fine(client: TestClient, front: Front, tokens: Headers) -> None:
    answer = client.post("/v1/logs", headers={**tokens["ingest"], "Content-Type": PROTOBUF})

    assert (answer.status_code, answer.content) == (200, b"")
    assert front.log.reader.view().upto == 0


STATUSES = {
    "nobody": (None, PROTOBUF, b"", 401),
    "one who may only read": ("read", PROTOBUF, b"", 403),
    "no protobuf": ("ingest", PROTOBUF, b"\xff\xff", 400),
    "no JSON": ("ingest", JSON, b"[]", 400),
    "too large": ("ingest", PROTOBUF, b"x" * (16 * 1024 * 1024 + 1), 413),
    "another media type": ("ingest", "text/plain", b"x", 415),
}


@pytest.mark.parametrize(("scope", "kind", "body", "status"), STATUSES.values(), ids=STATUSES)
def test_a_refusal_is_a_status_message_as_asked(
    client: TestClient, tokens: Headers, scope: str | None, kind: str, body: bytes, status: int
) -> None:
    headers = {**(tokens[scope] if scope else {}), "Content-Type": kind}

    answer = client.post("/v1/logs", content=body, headers=headers)

    assert answer.status_code == status
    if kind == PROTOBUF:
        assert answer.headers["content-type"] == PROTOBUF
        assert answer.content.startswith(b"\x08")
    else:
        assert answer.json()["message"]
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_store_that_takes_nothing_asks_to_come_again(
    client: TestClient, front: Front, tokens: Headers
) -> None:
    front.log.close()

    answer = client.post(
        "/v1/logs", content=request(GOOD), headers={**tokens["ingest"], "Content-Type": PROTOBUF}
    )

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_whoever_comes_while_all_turns_are_taken_is_asked_to_come_again(
    client: TestClient, front: Front, tokens: Headers
) -> None:
    front.turns = Turns(at_once=0, patience=0.01)

    answer = client.post(
        "/v1/logs", content=request(GOOD), headers={**tokens["ingest"], "Content-Type": PROTOBUF}
    )

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert front.log.reader.view().upto == 0


def test_all_that_the_real_exporter_sends_is_stored(tmp_path: Path) -> None:
    home = tmp_path / "home"
    tokens = make_home(home, "web: {port: 0}\n", shop="ingest")
    with serving(home, command="front") as served:
        exporter = OTLPLogExporter(
            endpoint=f"{served.ready[0]}/v1/logs",
            headers={"Authorization": f"Bearer {tokens['shop']}"},
            compression=Compression.Gzip,
        )
        provider = sdk.LoggerProvider(resource=SdkResource({"service.name": "shop"}))
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        logger = provider.get_logger("shop.audit")
        for number in range(1_000):
            logger.emit(
                body=f"order {number}",
                severity_number=SeverityNumber.WARN,
                attributes={"user.name": "ines"},
            )
        provider.shutdown()

    batch = LogReader(home / "events").scan(0, 2_000)
    assert batch.column("message") == [f"order {number}" for number in range(1_000)]
    assert set(batch.column("source")) == {"shop"}
    assert set(batch.column("user_name")) == {"ines"}
