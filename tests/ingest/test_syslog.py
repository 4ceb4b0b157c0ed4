"""Syslog of both kinds becomes events; what the time lacks is taken from us, and that is told."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from soc.clock import SettableClock
from soc.errors import Refused
from soc.ingest.fields import find
from soc.ingest.parsers.bsd import Bsd
from soc.ingest.parsers.syslog import Syslog, structured_data

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 1, 0, 0, 5, tzinfo=UTC)

OLD = {
    "as RFC 3164 has it": ("<34>Oct 11 22:14:15 mymachine su: 'su root' failed", NOON, {"@timestamp": "2026-10-11T22:14:15+00:00", "host.name": "mymachine", "process.name": "su", "message": "'su root' failed", "log.syslog.facility.code": 4, "log.syslog.severity.code": 2, "soc.time_guessed": True}),
    "with a process": ("<38>Nov 23 11:00:00 host1 sshd[77]: Failed password for invalid user bob from 192.0.2.1 port 22 ssh2", NOON, {"process.pid": "77", "user.name": "bob", "source.ip": "192.0.2.1", "event.outcome": "failure", "event.dataset": "sshd"}),
    "a day below ten": ("<13>Nov  3 11:00:00 h a: b", NOON, {"@timestamp": "2026-11-03T11:00:00+00:00"}),
    "December read in January": ("<13>Dec 31 23:59:59 h a: b", NEW_YEAR, {"@timestamp": "2026-12-31T23:59:59+00:00"}),
    "January read in December": ("<13>Jan  1 00:00:03 h a: b", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), {"@timestamp": "2027-01-01T00:00:03+00:00"}),
    "with an exact time": ("<13>2026-11-23T13:00:00.5+01:00 h a: b", NOON, {"@timestamp": "2026-11-23T12:00:00.500000+00:00", "soc.time_guessed": None}),
    "no header at all": ("<13>hello", NOON, {"@timestamp": "2026-11-23T12:00:00+00:00", "message": "hello", "host.name": None, "soc.time_guessed": True}),
    "no tag": ("<13>Nov 23 11:00:00 h hello", NOON, {"message": "hello", "host.name": "h"}),
}  # fmt: skip


@pytest.mark.parametrize(("line", "now", "wanted"), OLD.values(), ids=OLD)
def test_a_message_of_the_old_kind_has_its_fields(
    line: str, now: datetime, wanted: dict[str, Any]
) -> None:
    row = Bsd(SettableClock(now)).parse(line)

    document = orjson.loads(row.raw)
    assert {name: find(document, name) for name in wanted} == wanted
    assert document["event"]["original"] == line


def test_the_29th_of_february_is_in_the_nearest_year_that_has_one() -> None:
    row = Bsd(SettableClock(datetime(2027, 12, 1, tzinfo=UTC))).parse("<13>Feb 29 00:00:03 h a: b")

    assert row.ts == datetime(2028, 2, 29, 0, 0, 3, tzinfo=UTC)
    with pytest.raises(Refused, match="not in the calendar"):
        Bsd(SettableClock(datetime(2026, 3, 1, tzinfo=UTC))).parse("<13>Feb 29 00:00:03 h a: b")


def test_a_time_without_a_zone_is_read_in_the_zone_of_the_input() -> None:
    row = Bsd(SettableClock(NOON), ZoneInfo("Europe/Berlin")).parse("<13>Nov 23 13:00:00 h a: b")

    assert row.ts == NOON


def test_a_message_of_rfc_5424_without_a_time_gets_ours_and_says_so() -> None:
    row = Syslog(SettableClock(NOON)).parse("<13>1 - h app - - - hello")

    assert row.ts == NOON
    assert orjson.loads(row.raw)["soc"] == {"time_guessed": True}


def test_structured_data_is_kept_by_element() -> None:
    line = r'<13>1 2026-11-23T12:00:00Z h app 7 ID47 [a@1 b="c ] \" d" e="\]\n"][f@2] hello'

    syslog = orjson.loads(Syslog(SettableClock(NOON)).parse(line).raw)["log"]["syslog"]

    assert syslog["structured_data"] == {"a@1": {"b": 'c ] " d', "e": "]\\n"}, "f@2": {}}
    assert (syslog["msgid"], syslog["procid"], syslog["appname"]) == ("ID47", "7", "app")


def test_no_structured_data_is_none() -> None:
    assert structured_data("-") == {}
