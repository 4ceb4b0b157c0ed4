"""Every line becomes an event or a reject with its reason; nothing raises."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc import plugins
from soc.ingest.parse import Intake, restore
from soc.model.event import Reject, Row

INTAKE = Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})
T = "2026-11-23T12:00:00Z"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

EVENTS = {
    "nested": (f'{{"@timestamp":"{T}","event":{{"dataset":"x"}},"wallet":{{"address":"0xAB"}}}}', {"dataset": "x", "wallet": "0xab"}),
    "dotted": (f'{{"@timestamp":"{T}","event.dataset":"x","user.name":"ines"}}', {"dataset": "x", "user_name": "ines"}),
    "mixed": (f'{{"@timestamp":"{T}","funding":{{"amount.raw":"12"}},"funding.round":{{"id":"r1"}}}}', {"amount": "12", "round": "r1"}),
    "another zone": ('{"@timestamp":"2026-11-23T14:00:00+02:00"}', {"ts": NOON}),
    "no zone": ('{"@timestamp":"2026-11-23T12:00:00"}', {"ts": NOON}),
    "milliseconds": ('{"@timestamp":1795435200000}', {"ts": NOON}),
    "an amount with a fraction is no amount": (f'{{"@timestamp":"{T}","funding":{{"amount":{{"raw":"1.5"}}}}}}', {"amount": None}),
    "the largest amount of a chain is one": (f'{{"@timestamp":"{T}","funding":{{"amount":{{"raw":"{2**256 - 1}"}}}}}}', {"amount": str(2**256 - 1)}),
    "an amount of more digits is none": (f'{{"@timestamp":"{T}","funding":{{"amount":{{"raw":"{"9" * 79}"}}}}}}', {"amount": None}),
    "an amount of very many digits is none": (f'{{"@timestamp":"{T}","chain":{{"value":{{"raw":"{"9" * 5000}"}}}}}}', {"amount": None}),
    "a time far in the future": ('{"@timestamp":"9999-12-31T23:30:00Z"}', {"ts": datetime(9999, 12, 31, 23, 30, tzinfo=UTC)}),
    "a list gives its first": (f'{{"@timestamp":"{T}","source":{{"ip":["192.0.2.1","192.0.2.2"]}}}}', {"src_ip": "192.0.2.1"}),
    "an object where text belongs": (f'{{"@timestamp":"{T}","user":{{"name":{{"a":1}}}}}}', {"user_name": None}),
    "nginx": ('192.0.2.7 - ines [23/Nov/2026:12:00:00 +0000] "GET /a?b=c HTTP/1.1" 404 12 "-" "curl"', {"ts": NOON, "dataset": "nginx.access", "src_ip": "192.0.2.7", "user_name": "ines", "outcome": "failure"}),
    "sshd": (f"<38>1 {T} host1 sshd 7 - - Failed password for invalid user bob from 192.0.2.1 port 22 ssh2", {"ts": NOON, "dataset": "sshd", "user_name": "bob", "src_ip": "192.0.2.1", "outcome": "failure", "host": "host1"}),
    "syslog with structured data": (f'<13>1 {T} host1 app - ID47 [a@1 b="c ] \\" d"] hello', {"dataset": "syslog", "message": "hello"}),
    "windows": ('{"EventID":4624,"Channel":"Security","@timestamp":"2026-11-23T12:00:00Z","Hostname":"ws1"}', {"parser": "windows", "action": "4624", "host": "ws1"}),
}  # fmt: skip
REJECTS = {
    "not UTF-8": (b"\xff\xfe", "not UTF-8 at byte 0"),
    "not JSON": (b'{"a":', "not JSON"),
    "infinite": (b'{"@timestamp":1e999}', "not JSON"),
    "lone surrogate": (b'{"@timestamp":"x\\ud800"}', "not JSON"),
    "no time": (b'{"a":1}', "@timestamp"),
    "wrong time": (b'{"@timestamp":"yesterday"}', "RFC 3339"),
    "a time beyond the calendar": (b'{"@timestamp":1e30}', "RFC 3339"),
    "a time that is a list": (b'{"@timestamp":[1]}', "RFC 3339"),
    "a list": (b"[1]", "no parser"),
    "prose": (b"hello", "no parser"),
    "too deep": (b'{"@timestamp":"' + T.encode() + b'","a":' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper"),
    "too long": (b'{"@timestamp":"' + T.encode() + b'","a":"' + b"x" * 1_100_000 + b'"}', "longer than"),
    "a priority of the old kind out of range": (b"<192>Oct 11 22:14:15 host su: hello", "0 to 191"),
    "a priority out of range": (b"<999>1 - - - - - - x", "RFC 5424"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "fields"), EVENTS.values(), ids=EVENTS)
def test_an_event_has_its_core_fields(line: str, fields: dict[str, object]) -> None:
    (row,) = INTAKE.read([(line.encode(), None)])

    assert isinstance(row, Row)
    assert {name: getattr(row, name) for name in fields} == fields


@pytest.mark.parametrize(("line", "reason"), REJECTS.values(), ids=REJECTS)
def test_a_reject_says_why_and_keeps_every_byte(line: bytes, reason: str) -> None:
    (row,) = INTAKE.read([(line, "id1")])

    assert isinstance(row, Reject)
    assert reason in row.reason
    assert restore(row.raw) == line
    assert row.event_id == "id1"


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_no_line_raises(line: bytes) -> None:
    (row,) = INTAKE.read([(line, None)])

    assert isinstance(row, Row | Reject)


def test_the_shippers_id_goes_before_the_events_own() -> None:
    line = f'{{"@timestamp":"{T}","event":{{"id":"own"}}}}'.encode()

    given_id, own = INTAKE.read([(line, "shipped"), (line, None)])

    assert (given_id.event_id, own.event_id) == ("shipped", "own")


def test_a_named_format_is_not_guessed() -> None:
    (row,) = INTAKE.read([(b"hello", None)], "nginx")

    assert isinstance(row, Reject)
    assert "nginx" in row.reason
