"""A log record of OpenTelemetry becomes ECS; whatever else comes is refused, never an exception."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from soc.errors import Refused
from soc.ingest import otlp
from soc.ingest.otlp import Encoding

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NANOS = 1_795_435_200_000_000_000


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def request(*records: LogRecord, **resource: str) -> ExportLogsServiceRequest:
    attributes = [KeyValue(key=k.replace("_", "."), value=text(v)) for k, v in resource.items()]
    scopes = [ScopeLogs(log_records=records)]
    groups = [ResourceLogs(resource=Resource(attributes=attributes), scope_logs=scopes)]
    return ExportLogsServiceRequest(resource_logs=groups)


def only(given_: ExportLogsServiceRequest) -> dict[str, Any]:
    (record,) = otlp.records(given_.SerializeToString(), Encoding.PROTOBUF, 10, NOON)
    return dict(orjson.loads(record.line))


def attribute(key: str, value: AnyValue) -> LogRecord:
    return LogRecord(attributes=[KeyValue(key=key, value=value)])


RECORDS: dict[str, tuple[LogRecord, dict[str, Any]]] = {
    "a time": (LogRecord(time_unix_nano=NANOS + 1_500_000), {"@timestamp": "2026-11-23T12:00:00.001500Z"}),
    "seen, without a time": (LogRecord(observed_time_unix_nano=NANOS), {"@timestamp": "2026-11-23T12:00:00Z"}),
    "no time at all": (LogRecord(), {"@timestamp": "2026-11-23T12:00:00Z", "soc": {"time_guessed": True}}),
    "a body of text": (LogRecord(body=text("hello")), {"message": "hello"}),
    "a body of parts": (LogRecord(body=AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=AnyValue(int_value=1))]))), {"message": '{"a":1}', "otel": {"body": {"a": 1}}}),
    "a severity as text": (LogRecord(severity_text="WARNING", severity_number=13), {"log.level": "warning", "event.severity": 13}),
    "a severity as number": (LogRecord(severity_number=17), {"log.level": "error"}),
    "ids": (LogRecord(trace_id=b"\x01" * 16, span_id=b"\x02" * 8), {"trace.id": "01" * 16, "span.id": "02" * 8}),
    "an event's name": (LogRecord(event_name="user.login"), {"event.action": "user.login"}),
    "an attribute with a name of ECS": (attribute("user.name", text("ines")), {"user.name": "ines"}),
    "an attribute that ECS calls otherwise": (attribute("exception.type", text("E")), {"error.type": "E"}),
    "an address": (attribute("client.address", text("192.0.2.7")), {"source.ip": "192.0.2.7"}),
    "an address that is a name": (attribute("client.address", text("host1")), {"otel": {"attributes": {"client.address": "host1"}}}),
    "an attribute that would hide the record": (attribute("@timestamp", text("never")), {"@timestamp": "2026-11-23T12:00:00Z", "otel": {"attributes": {"@timestamp": "never"}}}),
    "a list": (attribute("a", AnyValue(array_value=ArrayValue(values=[text("x"), AnyValue(bool_value=True)]))), {"a": ["x", True]}),
    "what is no number": (attribute("a", AnyValue(double_value=float("nan"))), {"a": "nan"}),
    "bytes": (attribute("a", AnyValue(bytes_value=b"\xff")), {"a": "/w=="}),
    "no value": (attribute("a", AnyValue()), {"a": None}),
    "an id": (attribute("log.record.uid", text("01J")), {"event.id": "01J"}),
}  # fmt: skip


@pytest.mark.parametrize(("record", "wanted"), RECORDS.values(), ids=RECORDS)
def test_a_record_is_ecs(record: LogRecord, wanted: dict[str, Any]) -> None:
    document = only(request(record))

    assert {name: document.get(name) for name in wanted} == wanted


def test_resource_and_scope_are_kept() -> None:
    given_ = request(LogRecord(), service_name="shop", service_version="1.2", host_name="h1")
    given_.resource_logs[0].scope_logs[0].scope.name = "shop.audit"

    document = only(given_)

    assert document["service.name"] == document["event.dataset"] == "shop"
    assert (document["service.version"], document["host.name"]) == ("1.2", "h1")
    assert document["otel"] == {"scope": {"name": "shop.audit"}}


def test_json_says_the_same_with_ids_in_hex() -> None:
    body = {
        "resourceLogs": [
            {
                "resource": {
                    "attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]
                },
                "scopeLogs": [
                    {
                        "logRecords": [
                            {
                                "timeUnixNano": str(NANOS),
                                "severityNumber": 9,
                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                "spanId": "EEE19B7EC3C1B174",
                                "body": {"stringValue": "hello"},
                                "attributes": [{"key": "n", "value": {"intValue": "7"}}],
                                "somethingNew": True,
                            }
                        ]
                    }
                ],
            }
        ]
    }

    (record,) = otlp.records(json.dumps(body).encode(), Encoding.JSON, 10, NOON)

    document = orjson.loads(record.line)
    assert record.service == "shop"
    assert document["trace.id"] == "5b8efff798038103d269b633813fc60c"
    assert document["span.id"] == "eee19b7ec3c1b174"
    assert (document["message"], document["n"], document["log.level"]) == ("hello", 7, "info")


REFUSED = {
    "no protobuf": (b"\xff\xff\xff", Encoding.PROTOBUF),
    "protobuf cut short": (request(LogRecord(body=text("x" * 50))).SerializeToString()[:-9], Encoding.PROTOBUF),
    "no JSON": (b"{", Encoding.JSON),
    "a list": (b"[1]", Encoding.JSON),
    "an id that is not hex": (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xyz"}]}]}]}', Encoding.JSON),
    "a text where a list belongs": (b'{"resourceLogs":"x"}', Encoding.JSON),
    "numbers where records belong": (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[1]}]}]}', Encoding.JSON),
    "nothing where a list belongs": (b'{"resourceLogs":null}', Encoding.JSON),
    "nested without end": (b'{"resourceLogs":' + b"[" * 3000 + b"]" * 3000 + b"}", Encoding.JSON),
}  # fmt: skip


@pytest.mark.parametrize(("body", "encoding"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused(body: bytes, encoding: Encoding) -> None:
    with pytest.raises(Refused, match="no ExportLogsServiceRequest"):
        otlp.records(body, encoding, 10, NOON)


@given(body=st.binary(max_size=200))
@pytest.mark.parametrize("encoding", Encoding)
def test_nothing_raises_anything_else(body: bytes, encoding: Encoding) -> None:
    try:
        otlp.records(body, encoding, 10, NOON)
    except Refused:
        return


@pytest.mark.parametrize("encoding", Encoding)
def test_too_many_records_are_refused_before_they_are_unpacked(encoding: Encoding) -> None:
    many = request(*[LogRecord()] * 11)
    json_ = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b",".join([b"{}"] * 11) + b"]}]}]}"
    bodies = {Encoding.PROTOBUF: many.SerializeToString(), Encoding.JSON: json_}

    with pytest.raises(otlp.TooMany, match="more than 10 log records"):
        otlp.records(bodies[encoding], encoding, 10, NOON)
    assert len(otlp.records(bodies[encoding], encoding, 11, NOON)) == 11
