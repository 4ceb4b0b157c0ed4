import json
from datetime import UTC, datetime
from typing import Any

import pytest

from soc.errors import Refused
from soc.ingest.eventlog import flatten
from soc.ingest.parsers.windows import Windows
from soc.model.event import Row

FLAT = {
    "@timestamp": "2026-03-01T10:00:00.123Z",
    "EventID": 4625,
    "Channel": "Security",
    "Computer": "pc1.example.org",
    "TargetUserName": "alice",
    "IpAddress": "192.0.2.7",
    "EventType": "AUDIT_FAILURE",
    "Message": "An account failed to log on. " * 100,
}
NESTED = {
    "Event": {
        "#attributes": {"xmlns": "http://example.org/event"},
        "System": {
            "Provider": {"#attributes": {"Name": "Example-Log", "Guid": "{1}"}},
            "EventID": {"#attributes": {"Qualifiers": 7}, "#text": 104},
            "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T10:00:00.1234567Z"}},
            "Execution": {"#attributes": {"ProcessID": 4, "ThreadID": 5}},
            "Correlation": None,
            "Channel": "System",
            "Computer": "pc1",
        },
        "UserData": {
            "LogFileCleared": {
                "#attributes": {"xmlns": "http://example.org/log"},
                "Channel": "Security",
                "ProcessId": 9,
                "Empty": None,
            }
        },
    }
}


def parse(document: dict[str, Any]) -> Row:
    parser = Windows()
    assert parser.claims(document)
    return parser.parse(json.dumps(document), document)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"EventID": 1, "Channel": "x"}, True, id="flat"),
        pytest.param(NESTED, True, id="nested"),
        pytest.param(NESTED["Event"], True, id="nested without its root"),
        pytest.param({"EventID": 1}, False, id="no channel"),
        pytest.param({"Event": "x", "System": "y"}, False, id="words only"),
        pytest.param({"@timestamp": "2026-03-01"}, False, id="another"),
    ],
)
def test_windows_events_are_claimed(document: dict[str, Any], *, expected: bool) -> None:
    assert Windows().claims(document) is expected


def test_a_flat_event_becomes_a_row() -> None:
    row = parse(FLAT)

    assert row == Row(
        ts=datetime(2026, 3, 1, 10, 0, 0, 123000, UTC),
        raw=json.dumps(FLAT),
        parser="windows",
        dataset="windows.security",
        action="4625",
        outcome="failure",
        user_name="alice",
        src_ip="192.0.2.7",
        host="pc1.example.org",
        message=str(FLAT["Message"])[:1024],
    )


def test_a_nested_event_is_kept_flat() -> None:
    row = parse(NESTED)

    assert (row.action, row.dataset, row.host) == ("104", "windows.system", "pc1")
    assert row.ts == datetime(2026, 3, 1, 10, 0, 0, 123456, UTC)
    assert json.loads(row.raw) == flatten(NESTED)


def test_flattening_loses_nothing() -> None:
    assert flatten(NESTED) == {
        "Provider_Name": "Example-Log",
        "Provider_Guid": "{1}",
        "EventID_Qualifiers": 7,
        "EventID": 104,
        "TimeCreated_SystemTime": "2026-03-01T10:00:00.1234567Z",
        "SystemTime": "2026-03-01T10:00:00.1234567Z",
        "Execution_ProcessID": 4,
        "Execution_ThreadID": 5,
        "Channel": ["System", "Security"],
        "Computer": "pc1",
        "ProcessId": 9,
        "Empty": None,
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param({"Data": {"#text": ["a", "b"]}}, {"Data": ["a", "b"]}, id="list"),
        pytest.param({"Data": {"#text": "a"}}, {"Data": "a"}, id="one"),
        pytest.param(
            {"Threat Name": "x"}, {"Threat Name": "x", "ThreatName": "x"}, id="space in a name"
        ),
        pytest.param(
            {"#attributes": {"Name": "Off"}, "Path": "p"}, {"Name": "Off", "Path": "p"}, id="named"
        ),
        pytest.param(None, {}, id="none"),
        pytest.param("text", {"EventData": "text"}, id="text"),
    ],
)
def test_event_data_is_flattened(data: object, expected: dict[str, Any]) -> None:
    assert flatten({"System": {"EventID": 1}, "EventData": data}) == {"EventID": 1} | expected


@pytest.mark.parametrize(
    ("times", "hour"),
    [
        pytest.param({"@timestamp": "2026-03-01T10:00:00+02:00"}, 8, id="with a zone"),
        pytest.param({"@timestamp": "-", "TimeCreated": "2026-03-01T09:00:00"}, 9, id="created"),
        pytest.param({"UtcTime": "2026-03-01 07:00:00.000"}, 7, id="utc"),
        pytest.param({"UtcTime": "soon", "EventTime": "2026-03-01 06:00:00"}, 6, id="next one"),
        pytest.param({"SystemTime": "2026-03-01T05:00:00.1234567Z"}, 5, id="seven digits"),
    ],
)
def test_the_time_is_the_first_that_is_one(times: dict[str, str], hour: int) -> None:
    row = parse({"EventID": 1, "Channel": "x"} | times)

    assert (row.ts.hour, row.ts.tzinfo) == (hour, UTC)


def test_an_event_without_a_time_is_refused() -> None:
    with pytest.raises(Refused, match="no time"):
        parse({"EventID": 1, "Channel": "x", "UtcTime": "soon"})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("-", None, id="dash"),
        pytest.param("", None, id="empty"),
        pytest.param("LOCAL", None, id="word"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", id="mapped"),
        pytest.param("2001:DB8:0::1", "2001:db8::1", id="v6"),
    ],
)
def test_an_address_is_one_or_none(address: str, expected: str | None) -> None:
    assert parse(FLAT | {"IpAddress": address, "TargetUserName": "-"}).src_ip == expected
    assert parse(FLAT | {"IpAddress": address, "TargetUserName": "-"}).user_name is None
