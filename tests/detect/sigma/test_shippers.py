"""Rules written for Sysmon and auditd find their fields where shippers put them."""

from collections.abc import Callable
from typing import Any

import pytest

from soc.detect.sigma.event import Event
from soc.detect.sigma.ruleset import Ruleset

Load = Callable[..., Ruleset]
RuleOf = Callable[..., dict[str, Any]]

SYSMON = "Microsoft-Windows-Sysmon/Operational"
BEAT = ("sysmon", "windows-logsources", "winlogbeat")
WINDOWS = {"product": "windows"}
LINUX = {"product": "linux"}


def sysmon(number: int, **more: Any) -> dict[str, Any]:
    """Return an event as Winlogbeat sends it, with *more* at its top."""
    said = {"channel": SYSMON, "event_id": str(number), "provider_name": "Microsoft-Windows-Sysmon"}
    return {
        "@timestamp": "2026-01-01T00:00:00Z",
        "event": {"code": str(number), "module": "sysmon"},
        "winlog": said | more.pop("winlog", {}),
    } | more


@pytest.mark.parametrize(
    ("category", "selection", "event"),
    [
        pytest.param(
            "process_creation",
            {"Image|endswith": "\\cmd.exe", "CommandLine|contains": "whoami"},
            sysmon(1, process={"executable": "C:\\Windows\\cmd.exe", "command_line": "/c whoami"}),
            id="process",
        ),
        pytest.param(
            "process_creation",
            {"ParentImage|endswith": "\\a.exe", "User|contains": "AUTHORI"},
            sysmon(
                1,
                process={"parent": {"executable": "C:\\a.exe"}},
                user={"domain": "NT AUTHORITY", "name": "SYSTEM"},
            ),
            id="parent and user",
        ),
        pytest.param(
            "process_creation",
            {"Hashes|contains": "IMPHASH=00"},
            sysmon(1, winlog={"event_data": {"Hashes": "MD5=1,IMPHASH=00"}}),
            id="event data",
        ),
        pytest.param(
            "process_creation",
            {"IntegrityLevel": "System"},
            {
                "winlog.channel": SYSMON,
                "event.code": 1,
                "winlog.event_data.IntegrityLevel": "system",
            },
            id="keys with dots",
        ),
        pytest.param(
            "registry_set",
            {"TargetObject|contains": "\\Run\\", "Details": "x"},
            sysmon(13, registry={"path": "HKU\\Run\\a", "data": {"strings": ["x", "y"]}}),
            id="registry",
        ),
        pytest.param(
            "network_connection",
            {"DestinationIp|cidr": "192.0.2.0/24", "DestinationPort": 443},
            sysmon(3, destination={"ip": "192.0.2.7", "port": 443}),
            id="network",
        ),
        pytest.param(
            "dns_query",
            {"QueryName|endswith": ".example"},
            sysmon(22, dns={"question": {"name": "a.example"}}),
            id="dns",
        ),
    ],
)
def test_winlogbeat(
    category: str, selection: dict[str, Any], event: dict[str, Any], load: Load, rule_of: RuleOf
) -> None:
    rule = rule_of(selection, logsource=WINDOWS | {"category": category})
    origin = ("event", "winlog", "@")
    other = sysmon(99, **{key: event[key] for key in event if not key.startswith(origin)})

    ruleset = load({"a.yml": rule}, BEAT)

    assert len(ruleset.match(event).hits) == 1
    assert [len(one.hits) for one in ruleset.match_all([event, event, other])] == [1, 1, 0]
    assert not ruleset.match(other).hits
    assert not load({"a.yml": rule}, BEAT[:2]).match(event).hits


def test_what_is_sent_flat_is_found_as_before(load: Load, rule_of: RuleOf) -> None:
    source = WINDOWS | {"category": "process_creation"}
    ruleset = load({"a.yml": rule_of({"Image": "x", "User": None}, logsource=source)}, BEAT)

    assert ruleset.match({"Channel": SYSMON, "EventID": 1, "Image": "X"}).hits
    assert not ruleset.match({"Channel": SYSMON, "EventID": 3, "Image": "X"}).hits
    assert not ruleset.match({"Channel": SYSMON, "EventID": 1, "Image": "X", "User": "y"}).hits


@pytest.mark.parametrize(
    ("selection", "event", "expected"),
    [
        pytest.param({"User": None}, {}, True, id="null: nowhere"),
        pytest.param(
            {"User": None}, {"user": {"name": "x", "domain": "y"}}, False, id="null: there"
        ),
        pytest.param({"User|exists": False}, {"user": {"name": "x"}}, False, id="exists"),
        pytest.param({"User|exists": True}, {"user": {"name": "x"}}, True, id="does exist"),
        pytest.param({"User": [None, "x"]}, {"user": {"name": "x"}}, True, id="null or value"),
        pytest.param({"User": [None, "x"]}, {"user": {"name": "z"}}, False, id="neither"),
        pytest.param({"User|neq": "x"}, {"user": {"name": "x"}}, False, id="neq"),
        pytest.param({"User|neq": "x"}, {"user": {"name": "z"}}, True, id="neq another"),
    ],
)
def test_a_field_is_missing_if_it_has_none_of_its_names(
    selection: dict[str, Any], event: dict[str, Any], *, expected: bool, load: Load, rule_of: RuleOf
) -> None:
    source = WINDOWS | {"category": "process_creation"}
    ruleset = load({"a.yml": rule_of(selection, logsource=source)}, BEAT)

    assert bool(ruleset.match(sysmon(1, **event)).hits) is expected
    assert bool(ruleset.plainly(Event(sysmon(1, **event))).hits) is expected


@pytest.mark.parametrize(
    ("source", "selection", "event"),
    [
        pytest.param(
            {"service": "auditd"},
            {"type": "EXECVE", "a0": "truncate", "a1": "-s"},
            {"event": {"dataset": "auditd.log"},
             "auditd": {"log": {"record_type": "EXECVE", "a0": "truncate", "a1": "-s"}}},
            id="Filebeat",
        ),
        pytest.param(
            {"service": "auditd"},
            {"type": "SYSCALL", "exe": "/usr/bin/dd", "key": "disk"},
            {"event": {"dataset": "auditd_manager.auditd"}, "tags": ["disk"],
             "process": {"executable": "/usr/bin/dd"}, "auditd": {"message_type": "syscall"}},
            id="Elastic Agent",
        ),
        pytest.param(
            {"category": "process_creation"},
            {"Image|endswith": "/nc", "CommandLine|contains": "-e"},
            {"event": {"dataset": "auditd_manager.auditd", "action": "executed"},
             "process": {"executable": "/bin/nc", "title": "nc -e /bin/sh"}},
            id="process",
        ),
    ],
)  # fmt: skip
def test_auditd(
    source: dict[str, str],
    selection: dict[str, Any],
    event: dict[str, Any],
    load: Load,
    rule_of: RuleOf,
) -> None:
    rule = rule_of(selection, logsource=LINUX | source)

    assert load({"a.yml": rule}, ("auditd",)).match(event).hits
    assert not load({"a.yml": rule}).match(event).hits


def test_a_process_that_opens_a_file_is_none_that_starts(load: Load, rule_of: RuleOf) -> None:
    rule = rule_of({"Image|endswith": "/nc"}, logsource=LINUX | {"category": "process_creation"})
    event = {
        "event": {"dataset": "auditd_manager.auditd", "action": "opened-file"},
        "process": {"executable": "/bin/nc"},
    }

    assert not load({"a.yml": rule}, ("auditd",)).match(event).hits
