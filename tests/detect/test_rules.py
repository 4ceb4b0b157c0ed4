"""No value stops a window, a flood costs little, and a late source is still counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

import orjson
import pyarrow as pa
import pytest

from soc import plugins
from soc.content.folders import packaged
from soc.detect.rules import Remembered, Rules
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.ruleset import Ruleset
from soc.ingest.parse import Intake
from soc.model.event import SCHEMA, Batch, Row, to_table
from soc.model.finding import Finding
from soc.model.shard import first_of
from soc.settings import Detect

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
INTAKE = Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})
RULES = Rules(load_rules([packaged("rules")]), Detect())


def batch(documents: list[dict[str, Any]], source: str = "src", begin: int = 1) -> Batch:
    rows = INTAKE.read([(orjson.dumps(document), None) for document in documents])
    assert all(isinstance(row, Row) for row in rows)
    table = to_table(rows, source, NOON, ["default"] * len(rows))
    numbers = pa.array(range(begin, begin + len(rows)), pa.int64())
    return Batch(table.set_column(0, SCHEMA.field("seq"), numbers), begin + len(rows) - 1)


def guesses(begin: datetime, count: int, user: str) -> list[dict[str, Any]]:
    return [
        {
            "@timestamp": (begin + timedelta(seconds=5 * n)).isoformat(),
            "event": {"dataset": "platform.auth", "action": "login", "outcome": "failure"},
            "user": {"name": user},
            "source": {"ip": "192.0.2.7"},
        }
        for n in range(count)
    ]


def requests(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        {
            "@timestamp": (NOON - timedelta(seconds=900) + timedelta(milliseconds=20 * n)).isoformat(),
            "event": {"dataset": "platform.access", "action": "request"},
            "source": {"ip": "192.0.2.7"},
            "wallet": {"address": f"0x{n % 50}"},
            **fields,
        }
        for n in range(count)
    ]  # fmt: skip


def test_guesses_at_a_name_of_any_length_are_found() -> None:
    begin = NOON - timedelta(minutes=5)

    observed = RULES.observe(batch(guesses(begin, 30, "a" * 5000)), Remembered(), NOON)

    (found,) = observed.findings
    assert found.rule == "qf-admin-bruteforce"
    assert found.entity.value.startswith("a" * 180 + "…")
    assert observed.failures == ()


def test_long_values_stop_nothing() -> None:
    """Nor does the name of a source, or an address that the columns do not hold."""
    long = requests(300, source={"ip": "1" * 700}, host={"name": "h\x00" * 900})

    observed = RULES.observe(batch(long, source="s" * 3000), Remembered(), NOON)

    assert [found.rule for found in observed.findings] == ["qf-api-abuse"]
    remembered = Remembered.model_validate_json(observed.state.model_dump_json())
    assert remembered == observed.state


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_no_time_stops_a_window(when: str) -> None:
    strange = [{**one, "@timestamp": when} for one in guesses(NOON, 30, "admin")]

    observed = RULES.observe(batch(strange), Remembered(), NOON)

    assert all(found.bucket <= NOON and found.last <= NOON for found in observed.findings)


def test_what_claims_to_be_of_the_future_is_counted_when_it_came() -> None:
    future = [{**one, "@timestamp": "2999-01-01T00:00:00Z"} for one in guesses(NOON, 30, "admin")]

    (found,) = RULES.observe(batch(future), Remembered(), NOON).findings

    assert (found.bucket, found.first, found.last) == (NOON, NOON, NOON)


class Indigestible(dict[str, Any]):
    """Names of fields that nobody can look up."""

    def get(self, *_: object) -> Any:
        raise ValueError("indigestible")


def test_what_cannot_be_digested_is_a_failure_of_its_rule() -> None:
    """No value of an event is known that does it any more: the rule itself is at fault."""
    loaded = load_rules([packaged("rules")])
    broken = tuple(replace(one, aliases=Indigestible()) for one in loaded.correlations)
    rules = Rules(Ruleset(loaded.rules, broken), Detect())

    observed = rules.observe(
        batch(guesses(NOON - timedelta(minutes=5), 30, "admin")), Remembered(), NOON
    )

    assert {failure.reason for failure in observed.failures} == {"ValueError: indigestible"}


def windows(event_id: int, **fields: Any) -> dict[str, Any]:
    at = (NOON - timedelta(minutes=5)).isoformat()
    origin = {"EventID": event_id, "Channel": "Security", "Hostname": "ws1"}
    return {"@timestamp": at, **origin, **fields}


def test_fields_of_windows_name_addresses_accounts_and_machines() -> None:
    failed = [windows(4625, TargetUserName=f"u{n}", IpAddress="192.0.2.7") for n in range(10)]
    added = windows(4728, TargetUserName="Domain Admins", SubjectUserName="bob")

    found = RULES.observe(batch([*failed, added]), Remembered(), NOON).findings

    assert {one.rule: str(one.entity) for one in found} == {
        "windows-logon-spray": "ip:192.0.2.7",
        "windows-admin-group": "account:bob",
    }


def test_a_source_behind_a_live_one_is_still_correlated() -> None:
    live = batch(guesses(NOON - timedelta(seconds=10), 2, "somebody"), "live")
    late = batch(guesses(NOON - timedelta(minutes=20), 30, "admin"), "delayed", begin=3)
    state = RULES.observe(live, Remembered(), NOON).state

    (found,) = RULES.observe(late, state, NOON).findings

    assert found.rule == "qf-admin-bruteforce"


def test_a_flood_is_one_finding_with_first_and_last_events() -> None:
    (found,) = RULES.observe(batch(requests(1000)), Remembered(), NOON).findings

    assert str(found.entity) == "ip:192.0.2.7"
    assert len(found.entities) == 51
    assert found.seqs == (*range(1, 21), *range(996, 1001))
    assert 700 < found.count <= 1000


def test_a_flood_costs_little() -> None:
    flood = batch(requests(20_000))

    started = process_time()
    observed = RULES.observe(flood, Remembered(), NOON)

    assert process_time() - started < 8  # 2 to 3 s where nothing else runs; it was 20
    assert len(observed.findings) == 1


def test_mixed_numbers_of_two_shards_find_what_those_of_one_find() -> None:
    """A backlog of hours is one batch in the order of intake, whoever took its events in."""
    guessed = [
        guess
        for hour in range(6)
        for guess in guesses(NOON - timedelta(hours=6 - hour), 30, f"user{hour}")
    ]
    one = batch(guessed)
    numbers = [first_of(row % 2) + row // 2 + 1 for row in range(len(guessed))]
    mixed = one.table.set_column(0, SCHEMA.field("seq"), pa.array(numbers, pa.int64()))

    alone, both = (
        RULES.observe(given, Remembered(), NOON) for given in (one, Batch(mixed, max(numbers)))
    )

    assert len(alone.findings) == 6
    assert sorted(map(_of, both.findings)) == sorted(map(_of, alone.findings))


def _of(found: Finding) -> tuple[object, ...]:
    return found.rule, found.entity.value, found.first, found.last, found.count
