"""OTLP logs, protobuf or JSON, as flat ECS documents: what OpenTelemetry SDKs and collectors send.

The protocol is that of opentelemetry-proto 1.x, the names are those of its semantic conventions.
"""

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from soc.errors import Refused
from soc.model.value import EPOCH, LONGEST_TEXT, rfc3339

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
PER_LEVEL = 4
RENAMED = MappingProxyType(
    {
        "client.address": "source.ip",
        "code.file.path": "log.origin.file.name",
        "container.image.name": "container.image.name",
        "deployment.environment": "service.environment",
        "deployment.environment.name": "service.environment",
        "enduser.id": "user.id",
        "exception.message": "error.message",
        "exception.stacktrace": "error.stack_trace",
        "exception.type": "error.type",
        "host.arch": "host.architecture",
        "http.request.method": "http.request.method",
        "http.response.status_code": "http.response.status_code",
        "log.record.original": "event.original",
        "log.record.uid": "event.id",
        "os.description": "host.os.full",
        "os.name": "host.os.name",
        "os.type": "host.os.type",
        "os.version": "host.os.version",
        "process.executable.path": "process.executable",
        "service.instance.id": "service.node.name",
        "source.address": "source.ip",
        "telemetry.sdk.language": "agent.name",
        "user_agent.original": "user_agent.original",
    }
)
"""Names of the semantic conventions and what ECS calls them; all others stay as they are."""
ADDRESSES = frozenset({"source.ip"})
OURS = frozenset({"@timestamp", "message", "log.level", "trace.id", "span.id", "soc", "otel"})
"""What no attribute may say: it would hide what the record itself says."""
DATASET = "otlp"
RECORDS = (1, 2, 2)
"""Field numbers from a request to its log records."""
NANOS_PER_MICRO = 1_000


class Encoding(StrEnum):
    """How a request is written, by its media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class Record(NamedTuple):
    """One log record. service: what its resource is called, or nothing. line: it as ECS JSON."""

    service: str
    line: bytes


def records(body: bytes, encoding: Encoding, most: int, now: datetime) -> list[Record]:
    """Return the log records of an export request; raises Refused for what is none.

    most: how many there may be; more raise TooMany before they are unpacked. now: the time of
    records that name none.
    """
    request = _decoded(body, encoding, most)
    found: list[Record] = []
    for group in request.resource_logs:
        resource = plain_of(group.resource.attributes)
        service = str(resource.get("service.name") or "")
        for scoped in group.scope_logs:
            scope = _scope(scoped.scope)
            found += [
                Record(service, orjson.dumps(_document(record, resource, scope, now)))
                for record in scoped.log_records
            ]
    if len(found) > most:
        raise TooMany(most)
    return found


class TooMany(Refused):
    """More records than a request may bring."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most} log records at once: send smaller batches")


def answer(encoding: Encoding, reasons: Iterable[str]) -> bytes:
    """Return the response; *reasons*, one a record that no parser took, make it a partial one."""
    told = list(reasons)
    response = ExportLogsServiceResponse()
    if told:
        response.partial_success.rejected_log_records = len(told)
        kept = f"kept as rejects, not as events: {told[0]}"
        response.partial_success.error_message = kept
    if encoding is Encoding.JSON:
        return orjson.dumps(json_format.MessageToDict(response))
    return response.SerializeToString()


def status(encoding: Encoding, code: int, message: str) -> bytes:
    """Return a google.rpc.Status, which OTLP has for errors."""
    if encoding is Encoding.JSON:
        return orjson.dumps({"code": code, "message": message})
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def plain_of(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Return attributes as JSON values by name; of two with one name the later counts."""
    return {one.key: _plain(one.value) for one in attributes}


def _decoded(body: bytes, encoding: Encoding, most: int) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    try:
        if encoding is Encoding.JSON:
            given = orjson.loads(body)
            json_format.ParseDict(_with_ids(given), request, ignore_unknown_fields=True)
        else:
            if sum(1 for _ in _inside(memoryview(body), RECORDS)) > most:
                raise TooMany(most)
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, orjson.JSONDecodeError, RecursionError) as wrong:
        raise Refused(f"no ExportLogsServiceRequest: {wrong}") from wrong
    except (AttributeError, TypeError, ValueError) as wrong:  # where an object belongs, a list is
        raise Refused(f"no ExportLogsServiceRequest in JSON: {wrong}") from wrong
    return request


def _with_ids(given: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return *given* with its ids as base64: OTLP writes them in hex, unlike all other bytes."""
    for group in given.get("resourceLogs", ()):
        for scoped in group.get("scopeLogs", ()):
            for record in scoped.get("logRecords", ()):
                for name in ("traceId", "spanId"):
                    if name in record:
                        record[name] = base64.b64encode(_bytes(record[name])).decode()
    return given


def _bytes(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError as wrong:
        raise binascii.Error(f"{text!r:.64} is no id in hex") from wrong


def _inside(body: memoryview, path: tuple[int, ...]) -> Iterator[None]:
    """Yield once for each message at *path*, field numbers; malformed ends it, told by decoding."""
    at = 0
    while at < len(body):
        tag, at = _read_varint(body, at)
        number, wire = tag >> 3, tag & 7
        if wire != 2:  # noqa: PLR2004 - length-delimited: all that a request holds at these levels
            return
        size, at = _read_varint(body, at)
        if number == path[0] and len(path) == 1:
            yield None
        elif number == path[0]:
            yield from _inside(body[at : at + size], path[1:])
        at += size


def _read_varint(body: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(body):
        value |= (body[at] & 0x7F) << shift
        at += 1
        if body[at - 1] < 0x80:  # noqa: PLR2004 - the bit that says more follows
            break
        shift += 7
    return value, at


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _scope(scope: InstrumentationScope) -> dict[str, Any]:
    found: dict[str, Any] = {"name": scope.name, "version": scope.version}
    found["attributes"] = plain_of(scope.attributes)
    return {name: value for name, value in found.items() if value}


def _document(
    record: LogRecord, resource: Mapping[str, Any], scope: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Return *record* as one flat document: dotted names, as attributes have them anyway."""
    own = plain_of(record.attributes)
    document: dict[str, Any] = {}
    otel: dict[str, Any] = {"scope": scope} if scope else {}
    for name, value in (*resource.items(), *own.items()):
        renamed = RENAMED.get(name, name)
        if renamed.partition(".")[0] in OURS or renamed in OURS or not _fits(renamed, value):
            otel.setdefault("attributes", {})[name] = value
        else:
            document[renamed] = value
    moment, guessed = _moment(record, now)
    document["@timestamp"] = rfc3339(moment)
    body = _plain(record.body)
    if body is not None:
        document["message"] = body if isinstance(body, str) else orjson.dumps(body).decode()
        if not isinstance(body, str):
            otel["body"] = body
    document |= _facts(record)
    document.setdefault("event.dataset", str(document.get("service.name") or DATASET))
    if otel:
        document["otel"] = otel
    if guessed:
        document["soc"] = {"time_guessed": True}
    return document


def _facts(record: LogRecord) -> dict[str, Any]:
    """Return what the record says beside its body and attributes."""
    number = record.severity_number
    level = record.severity_text.lower()
    if not level and 0 < number <= PER_LEVEL * len(LEVELS):
        level = LEVELS[(number - 1) // PER_LEVEL]
    facts: dict[str, Any] = {
        "log.level": level[:LONGEST_TEXT],
        "event.severity": number,
        "event.action": record.event_name,
        "trace.id": record.trace_id.hex(),
        "span.id": record.span_id.hex(),
    }
    return {name: value for name, value in facts.items() if value}


def _fits(name: str, value: object) -> bool:
    """Return whether *value* is what ECS has at *name*: an address of a host may be a name."""
    if name not in ADDRESSES:
        return True
    try:
        ip_address(str(value))
    except ValueError:
        return False
    return True


def _moment(record: LogRecord, now: datetime) -> tuple[datetime, bool]:
    """Return when it happened, else when it was seen, else now; and whether that is a guess."""
    nanos = record.time_unix_nano or record.observed_time_unix_nano
    try:
        return (
            (EPOCH + timedelta(microseconds=nanos // NANOS_PER_MICRO), False)
            if nanos
            else (now, True)
        )
    except OverflowError:
        return now, True


def _plain(value: AnyValue) -> Any:  # noqa: ANN401 - any JSON value
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return plain_of(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    found = getattr(value, kind)
    # JSON has no word for what is no number.
    return str(found) if isinstance(found, float) and not math.isfinite(found) else found
