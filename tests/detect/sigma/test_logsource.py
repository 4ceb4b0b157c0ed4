"""Which rules an event is shown to."""

from collections.abc import Callable
from typing import Any

import pytest

from soc.detect.sigma.event import Event
from soc.detect.sigma.pipelines import chosen, needs_of
from soc.detect.sigma.rule import LogSource
from soc.detect.sigma.ruleset import Ruleset

Load = Callable[..., Ruleset]
RuleOf = Callable[..., dict[str, Any]]

SYSMON = "Microsoft-Windows-Sysmon/Operational"


@pytest.mark.parametrize(
    ("source", "datasets"),
    [
        pytest.param({"product": "funding", "service": "api"}, "funding.donation", id="api"),
        pytest.param({"product": "funding", "service": "access"}, "platform.access", id="access"),
        pytest.param({"product": "funding", "service": "auth"}, "platform.auth", id="auth"),
        pytest.param({"product": "funding", "service": "indexer"}, "indexer.status", id="indexer"),
        pytest.param(
            {"product": "funding"},
            "funding.donation platform.access platform.auth indexer.status",
            id="funding",
        ),
        pytest.param({"product": "chain", "service": "donation"}, "chain.donation", id="gift"),
        pytest.param({"product": "chain", "service": "transfer"}, "chain.transfer", id="transfer"),
        pytest.param({"category": "webserver"}, "nginx.access platform.access", id="web servers"),
        pytest.param({"category": "webserver", "product": "nginx"}, "nginx.access", id="nginx"),
        pytest.param({"category": "webserver", "product": "apache"}, "", id="apache"),
        pytest.param({"product": "linux", "service": "sshd"}, "sshd", id="sshd"),
        pytest.param({"product": "linux", "service": "auth"}, "sshd system.auth", id="linux auth"),
        pytest.param({"product": "shop", "service": "audit"}, "shop.audit", id="spelled alike"),
        pytest.param({"product": "zeek", "service": "dns"}, "", id="zeek"),
        pytest.param({"product": "aws", "service": "cloudtrail"}, "", id="aws"),
        pytest.param({"category": "proxy"}, "", id="proxy"),
        pytest.param({"product": "windows"}, "", id="windows"),
        pytest.param({"category": "process_creation"}, "", id="no product"),
    ],
)
def test_a_rule_sees_the_datasets_of_its_log_source(
    source: dict[str, str], datasets: str, load: Load, rule_of: RuleOf
) -> None:
    known = (
        "funding.donation platform.access platform.auth indexer.status chain.donation "
        "chain.transfer nginx.access sshd system.auth shop.audit other"
    )
    ruleset = load({"rule.yml": rule_of({"f": "x"}, logsource=source)})

    seen = [
        name for name in known.split() if ruleset.match({"event": {"dataset": name}, "f": "x"}).hits
    ]

    assert sorted(seen) == sorted(datasets.split())


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param({"Channel": SYSMON, "EventID": 1}, True, id="number"),
        pytest.param({"Channel": SYSMON.upper(), "EventID": "1"}, True, id="text"),
        pytest.param({"Channel": [SYSMON, "Other"], "EventID": [1, 5]}, True, id="lists"),
        pytest.param({"Channel": SYSMON, "EventID": 3}, False, id="another event"),
        pytest.param({"Channel": "Security", "EventID": 1}, False, id="another channel"),
        pytest.param({"Channel": SYSMON}, False, id="no event id"),
        pytest.param({"EventID": 1}, False, id="no channel"),
        pytest.param({}, False, id="from nowhere"),
        pytest.param({"event.dataset": "funding.donation"}, False, id="of a dataset"),
    ],
)
def test_pipelines_say_which_windows_events_a_category_means(
    event: dict[str, Any], *, expected: bool, load: Load, rule_of: RuleOf
) -> None:
    source = {"category": "process_creation", "product": "windows"}
    rule = rule_of({"f": "x"}, logsource=source)

    assert bool(load({"a.yml": rule}, None).match(event | {"f": "x"}).hits) is expected


def test_without_pipelines_a_windows_rule_sees_every_windows_event(
    load: Load, rule_of: RuleOf
) -> None:
    source = {"category": "process_creation", "product": "windows"}
    ruleset = load({"a.yml": rule_of({"f": "x"}, logsource=source)})

    assert ruleset.match({"Channel": "Security", "EventID": 7, "f": "x"}).hits
    assert ruleset.match({"event.dataset": "windows.security", "f": "x"}).hits
    assert not ruleset.match({"event.dataset": "sshd", "f": "x"}).hits


def test_an_event_from_nowhere_is_shown_to_every_rule(load: Load, rule_of: RuleOf) -> None:
    sources = [{"product": "zeek"}, {"category": "proxy"}, {"product": "windows"}]
    files = {f"{i}.yml": rule_of({"f": "x"}, logsource=one) for i, one in enumerate(sources)}

    assert len(load(files).match({"f": "x"}).hits) == len(sources)


@pytest.mark.parametrize(
    "selection",
    [
        pytest.param({"EventID": [1, "2"]}, id="list"),
        pytest.param([{"EventID": 1}, {"EventID": "2"}], id="any of maps"),
        pytest.param({"EventID": 1, "Channel": ["A", "B"]}, id="with channels"),
        pytest.param({"EventID|contains": "1"}, id="no equality"),
        pytest.param([{"EventID": 1}, {"g": "y"}], id="one without"),
        pytest.param({"EventID|neq": 7}, id="neq"),
    ],
)
def test_routing_changes_no_answer(selection: object, load: Load, rule_of: RuleOf) -> None:
    """An event's rules hold for it exactly as if every rule were asked."""
    ruleset = load({"a.yml": rule_of(selection, logsource={"product": "windows"})})
    (rule,) = ruleset.rules
    events = [
        {"Channel": channel, "EventID": number, "g": "y"}
        for channel in ("a", "C", ["B", "C"])
        for number in (1, "1", 1.0, "2", 7, [1, 7], None)
    ]

    for event in events:
        assert bool(ruleset.match(event).hits) is rule.condition.holds(Event(event))


@pytest.mark.parametrize(
    ("source", "names", "needs"),
    [
        pytest.param(
            LogSource("registry_event", "windows"),
            ("sysmon", "windows-logsources"),
            (("EventID", (12, 13, 14)), ("Channel", (SYSMON,))),
            id="both",
        ),
        pytest.param(
            LogSource("registry_event", "windows"),
            ("windows-logsources", "sysmon"),
            (("EventID", (12, 13, 14)),),
            id="order matters",
        ),
        pytest.param(
            LogSource("ps_script", "windows"),
            ("windows-logsources",),
            (
                ("EventID", (4104,)),
                (
                    "Channel",
                    ("Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"),
                ),
            ),
            id="powershell",
        ),
        pytest.param(
            LogSource(None, "windows", "security"),
            ("sysmon", "windows-logsources"),
            (("Channel", ("Security",)),),
            id="service",
        ),
        pytest.param(LogSource("process_creation", "linux"), ("sysmon",), (), id="linux"),
        pytest.param(LogSource("process_creation"), ("sysmon",), (), id="no product"),
        pytest.param(LogSource("process_creation", "windows"), (), (), id="no pipelines"),
    ],
)
def test_needs(source: LogSource, names: tuple[str, ...], needs: object) -> None:
    assert needs_of(source, names) == needs


def test_pipelines_are_chosen_by_name() -> None:
    assert chosen(None) == ("sysmon", "windows-logsources")
    assert chosen(["none"]) == ()
    assert chosen(["windows-logsources"]) == ("windows-logsources",)


def test_source_names_reads_the_provider_under_both_names(load: Load, rule_of: RuleOf) -> None:
    rule = rule_of({"Provider_Name": "Eventlog"})
    event = {"SourceName": "Eventlog"}

    assert not load({"a.yml": rule}).match(event).hits
    assert load({"a.yml": rule}, ("source-names",)).match(event).hits
