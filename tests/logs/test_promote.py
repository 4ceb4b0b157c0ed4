"""Promoted columns hold what rules find in the text, and a scan says where it had to read that."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.clock import SettableClock
from soc.detect.sigma.event import Event
from soc.logs import columns
from soc.logs.embedded import EmbeddedLog
from soc.logs.promote import LONG, MAX_VALUE, Promotion, announce, announced
from soc.model.event import Row, to_table
from soc.model.value import EPOCH
from soc.settings import Logs

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "a", "é", '"', "\\"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["b", "B", "b.c", "c", "\u212a"]), inner, max_size=3),
    ),
    max_leaves=6,
)
documents = st.dictionaries(
    st.sampled_from(["a", "A", "a.b", "A.B", "a.b.c", "k", "\u212a", "x"]), values, max_size=4
)


@given(documents)
def test_a_column_says_what_rules_find(document: dict[str, Any]) -> None:
    fields = ("a", "a.b", "a.b.c", "k", "missing")

    found = Promotion(fields).columns([orjson.dumps(document)])

    assert found.whole == fields[:4] + fields[4:]
    event = Event(document)
    for field in fields:
        column = found.columns.get(f"f.{field}")
        text = column[0].as_py() if column is not None else None
        wanted = event.find(field)
        assert (text is not None) == wanted.exists, field
        again = Event({"v": orjson.loads(text)} if text is not None else {}).find("v")
        texts = (sorted(s.text for s in one.scalars) for one in (again, wanted))
        assert next(texts) == next(texts), field
        assert again.is_null == wanted.is_null, field


@pytest.fixture
def log(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(tmp_path / "events", Logs(), clock)
    yield log
    log.close()


def add(log: EmbeddedLog, clock: SettableClock, *documents: dict[str, Any]) -> None:
    rows = [Row(clock.now(), orjson.dumps(d).decode(), "ecs") for d in documents]
    log.append(to_table(rows, "src", clock.now(), ["default"] * len(rows)))


def test_fields_have_columns_from_the_next_seal_on_and_older_ones_after_compaction(
    log: EmbeddedLog, clock: SettableClock
) -> None:
    root = log.reader.root
    add(log, clock, {"Image": "a.exe"}, {"Image": "b.exe"})
    log.seal()
    announce(root, ["Image"])
    add(log, clock, {"image": ["c.exe"]}, {"other": 1})
    log.seal()
    add(log, clock, {"Image": None})

    before = columns.scan(log.reader, 0, 100, ["Image"])
    log.seal()
    clock.moment += timedelta(days=2)
    log.compact()
    after = columns.scan(log.reader, 0, 100, ["Image"])

    assert before.table.equals(after.table)
    assert after.table["f.image"].to_pylist() == ['"a.exe"', '"b.exe"', '["c.exe"]', None, "null"]
    assert (before.from_text, after.from_text) == (3, 0)
    assert len(log.reader.view().segments) == 1


def test_a_very_long_value_is_read_from_the_text_and_no_other(
    log: EmbeddedLog, clock: SettableClock
) -> None:
    announce(log.reader.root, ["cmd", "user"])
    long = "x" * MAX_VALUE
    add(log, clock, {"cmd": "ls", "user": "ann"}, {"cmd": long}, {"CMD": "a", "cmd": long})
    add(log, clock, {"user": "bob"}, {"cmd": "~"})
    log.seal()

    scanned = columns.scan(log.reader, 0, 100, ["cmd", "user"])
    (coded,) = columns.each(log.reader, ["cmd", "user"])

    table, rows = coded.pick(["f.cmd", "f.user"], np.arange(coded.size))
    assert (scanned.from_text, coded.from_text, rows.tolist()) == (2, 0, [0, 1, 2, 3, 4])
    told = ['"ls"', f'"{long}"', f'["a","{long}"]', None, '"~"']
    assert scanned.table["f.cmd"].to_pylist() == told
    assert table["f.cmd"].to_pylist() == ['"ls"', LONG, LONG, None, '"~"']
    assert table["f.user"].to_pylist() == ['"ann"', None, None, '"bob"', None]
    assert columns.scan(log.reader, 0, 100, ["user"]).from_text == 0


def test_what_was_announced_is_read_by_whoever_writes(tmp_path: Path) -> None:
    assert announced(tmp_path).fields == ()

    announce(tmp_path, ["B.c", "a", "b.C"])

    assert announced(tmp_path).fields == ("a", "b.c")


def test_what_came_in_a_burst_is_sealed_at_once_and_promoted_later(tmp_path: Path) -> None:
    clock = SettableClock(EPOCH)
    log = EmbeddedLog(tmp_path, Logs(seal_rows=5), clock)
    announce(log.reader.root, ["cmd"])

    add(log, clock, *({"cmd": "ls"} for _ in range(6)))
    log.settle()
    (sealed,) = log.reader.view().segments
    clock.moment += timedelta(seconds=1)
    add(log, clock, {"cmd": "ls"})
    log.seal()
    log.compact()

    assert (sealed.rows, sealed.promoted) == (6, "")
    assert {one.promoted for one in log.reader.view().segments} == {Promotion(["cmd"]).digest}
    log.close()


def test_a_burst_is_over_when_nothing_has_come_for_a_moment(tmp_path: Path) -> None:
    clock = SettableClock(EPOCH)
    log = EmbeddedLog(tmp_path, Logs(seal_rows=5), clock)
    announce(log.reader.root, ["cmd"])

    with log._journal._making:  # the first five are being made permanent
        for _ in range(2):
            add(log, clock, *({"cmd": "ls"} for _ in range(5)))
        clock.moment += timedelta(seconds=1)
    log.settle()
    log.tick()
    log.settle()

    assert [one.rows for one in log.reader.view().segments] == [5, 5]
    assert {one.promoted for one in log.reader.view().segments} == {Promotion(["cmd"]).digest}
    log.close()
