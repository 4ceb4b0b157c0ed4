"""Findings of correlations: silence, chains, sums, and what is kept between windows."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from soc import plugins
from soc.detect.detector import Observed
from soc.detect.rules import Remembered, Rules
from soc.detect.sigma.load import load_rules
from soc.ingest.parse import Intake
from soc.model.event import SCHEMA, Batch, Row, empty, to_table
from soc.model.finding import Finding
from soc.settings import Detect

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INTAKE = Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})
SINGLES = """\
title: Beat
name: beat
logsource: {product: ops, service: heart}
detection: {it: {event.action: beat}, condition: it}
---
title: Payment
name: payment
logsource: {product: ops, service: heart}
detection: {it: {event.action: pay}, condition: it}
---
"""


def rules(folder: Path, *correlations: str) -> Rules:
    (folder / "rules.yml").write_text(SINGLES + "\n---\n".join(correlations))
    loaded = load_rules([folder])
    assert loaded.failed == ()
    return Rules(loaded, Detect())


class Log:
    """What is taken in, a batch at a time."""

    def __init__(self) -> None:
        self._seq = 0

    def batch(self, minute: float, *documents: dict[str, Any], source: str = "s") -> Batch:
        """Return *documents*, taken in so long after noon; each happened then, if it says nothing."""
        moment = NOON + minute * MINUTE
        told = [{"@timestamp": moment.isoformat(), **document} for document in documents]
        rows = INTAKE.read([(orjson.dumps(document), None) for document in told])
        assert all(isinstance(row, Row) for row in rows)
        table = to_table(rows, source, moment, ["default"] * len(rows))
        numbers = pa.array(range(self._seq + 1, self._seq + 1 + len(rows)), pa.int64())
        self._seq += len(rows)
        return Batch(table.set_column(0, SCHEMA.field("seq"), numbers), self._seq)

    def nothing(self) -> Batch:
        return Batch(empty(), self._seq)


def event(action: str, **more: Any) -> dict[str, Any]:
    return {"event": {"dataset": "ops.heart", "action": action}, **more}


def watch(
    watched: Rules, *batches: Batch, now: datetime = NOON
) -> tuple[list[Finding], Remembered]:
    """Return all findings; the state is stored after each batch."""
    found: list[Finding] = []
    state = Remembered()
    for batch in batches:
        observed: Observed[Remembered] = watched.observe(batch, state, now)
        assert observed.failures == ()
        found += observed.findings
        state = Remembered.model_validate_json(observed.state.model_dump_json())
    return found, state


SILENCE = """\
title: No beat
name: no-beat
correlation:
  type: event_count
  rules: [beat]
  group-by: [host.name]
  timespan: 10m
  condition: {lt: 1}
"""


def beats(log: Log, *minutes: int, host: str = "a") -> Iterable[Batch]:
    return [log.batch(minute, event("beat", host={"name": host})) for minute in minutes]


def test_silence_is_found_when_other_sources_go_on(tmp_path: Path) -> None:
    log = Log()
    own = beats(log, 0, 5)
    others = [log.batch(minute, event("other"), source="t") for minute in range(5, 30)]

    found, _ = watch(rules(tmp_path, SILENCE), *own, *others)

    (silence,) = found
    assert str(silence.entity) == "host:a"
    assert (silence.first, silence.last) == (NOON + 5 * MINUTE, NOON + 15 * MINUTE)
    assert [match.value for match in silence.matched] == ["a", "0"]
    assert silence.seqs == (2,)


def test_silence_is_found_when_nothing_comes_at_all(tmp_path: Path) -> None:
    """The clock decides then; as long as it decides nothing, nothing need be stored."""
    log, watched = Log(), rules(tmp_path, SILENCE)
    _, state = watch(watched, *beats(log, 0, 5))

    early = watched.observe(log.nothing(), state, NOON + 15 * MINUTE)
    late = watched.observe(log.nothing(), state, NOON + 16 * MINUTE)
    again = watched.observe(log.nothing(), late.state, NOON + 60 * MINUTE)

    assert early.findings == ()
    assert early.state == state
    assert [found.rule for found in late.findings] == ["no-beat"]
    assert again.findings == ()


def test_silence_is_not_told_of_whoever_ended_it(tmp_path: Path) -> None:
    """The event with which the time was over says nothing about the group."""
    log = Log()
    own = log.batch(0, event("beat", host={"name": "a"}, rack="r1"))
    others = [log.batch(n, event("beat", host={"name": "b"}, rack="r2")) for n in range(1, 30)]

    found, _ = watch(rules(tmp_path, SILENCE.replace("host.name", "rack")), own, *others)

    assert [str(one.entity) for one in found] == ["source:r1"]


def test_a_delayed_beat_is_no_silence(tmp_path: Path) -> None:
    log = Log()
    first = beats(log, 0)
    others = [log.batch(minute, event("other"), source="t") for minute in range(18)]
    delayed = log.batch(17, event("beat", host={"name": "a"}, **at(9)), source="slow")
    after = [*beats(log, 18), log.batch(19, event("other"), source="t")]

    found, _ = watch(rules(tmp_path, SILENCE), *first, *others, delayed, *after)

    assert found == []


def at(minute: float) -> dict[str, str]:
    return {"@timestamp": (NOON + minute * MINUTE).isoformat()}


SUM = """\
title: Much money
name: much-money
correlation:
  type: value_sum
  rules: [payment]
  group-by: [user.name]
  timespan: 10m
  condition: {gt: 100000000000000000000000000000000000000000000000000, field: amount}
"""


@pytest.mark.parametrize(("last", "expected"), [("0", 0), ("1", 1), ("0.01", 1)])
def test_sums_are_exact(last: str, expected: int, tmp_path: Path) -> None:
    log = Log()
    half = 5 * 10**49
    amounts = [str(half), str(half), last]
    paid = [event("pay", user={"name": "bob"}, amount=amount) for amount in amounts]

    found, _ = watch(rules(tmp_path, SUM), *(log.batch(n, one) for n, one in enumerate(paid)))

    assert len(found) == expected


def test_what_is_no_number_is_a_failure_of_the_sum(tmp_path: Path) -> None:
    batch = Log().batch(0, event("pay", user={"name": "bob"}, amount="much"))

    observed = rules(tmp_path, SUM).observe(batch, Remembered(), NOON)

    (failure,) = observed.failures
    assert failure.rule == "much-money"
    assert "amount is no number: 'much'" in failure.reason


BURST = """\
title: Burst
name: burst
correlation:
  type: event_count
  rules: [beat]
  group-by: [host.name]
  timespan: 1m
  condition: {gte: 3}
"""
CHAIN = """\
title: Bursts, then a payment
name: paid-after-burst
correlation:
  type: temporal_ordered
  rules: [burst, payment]
  group-by: [user.name]
  timespan: 10m
"""


def test_a_chain_groups_by_its_own_fields(tmp_path: Path) -> None:
    """Those of the last event of what it counts; what is only counted is silent."""
    log = Log()
    whose = {"host": {"name": "a"}, "user": {"name": "bob"}}
    burst = [event("beat", **whose, **at(n / 10)) for n in range(3)]
    before = log.batch(0, event("pay", user={"name": "bob"}))
    other = log.batch(2, event("pay", user={"name": "eve"}))
    after = log.batch(3, event("pay", user={"name": "bob"}))

    batches = (before, log.batch(1, *burst), other, after)
    found, state = watch(rules(tmp_path, CHAIN, BURST), *batches)

    (chained,) = found
    assert (chained.rule, str(chained.entity)) == ("paid-after-burst", "account:bob")
    assert sorted(key.partition("@")[0] for key in state.counts) == ["burst", "paid-after-burst"]


def test_homes_of_before_are_understood() -> None:
    """They kept how far each source has come with every correlation."""
    progress = {"event": "2026-11-25T12:00:00Z", "intake": "2026-11-25T12:00:00Z"}
    counts = {"groups": {'["a"]': [[1, 2, "v"]]}, "sources": {"s": progress}, "too_late": 3}

    state = Remembered.model_validate_json(orjson.dumps({"counts": {"r@d": counts}}))

    assert state.counts["r@d"].groups['["a"]'][0].seq == 2
    assert state.counts["r@d"].too_late == 3
