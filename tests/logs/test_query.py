"""Analysts may ask anything about events, and reach nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soc.clock import SettableClock
from soc.errors import QueryError
from soc.logs import query
from soc.logs.embedded import EmbeddedLog
from soc.model.event import Reject, Row, to_table
from soc.settings import Logs

REFUSED = {
    "two statements": "SELECT 1; SELECT 2",
    "a copy into the folder": "COPY (SELECT 1) TO '{root}/seg/x.parquet'",
    "another file": "SELECT * FROM read_csv('/etc/passwd')",
    "a file beside": "SELECT * FROM read_text('{root}/LOCK')",
    "an attached database": "ATTACH '{root}/x.db'",
    "a setting": "SET enable_external_access = true",
    "a table": "CREATE TABLE t (a int)",
    "no SQL": "SELEC 1",
}


@pytest.fixture
def log(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(tmp_path / "events", Logs(), clock)
    now = clock.now()
    given = [
        Row(now, "{}", "ecs", dataset="a"),
        Row(now, "{}", "ecs", dataset="b"),
        Reject("?", "no"),
    ]
    log.append(to_table(given, "src", now, ["default", "default", "rejects"]))
    log.seal()
    log.append(to_table([Row(now, "{}", "ecs", dataset="a")], "src", now, ["default"]))
    yield log
    log.close()


def test_segments_and_tail_are_one_view_without_rejects(log: EmbeddedLog) -> None:
    rows = query.sql(log.reader, "SELECT dataset, count(*) AS n FROM events GROUP BY 1 ORDER BY 1")

    assert rows == [{"dataset": "a", "n": 2}, {"dataset": "b", "n": 1}]


def test_each_of_several_questions_sees_what_is_stored_when_it_is_asked(
    log: EmbeddedLog, clock: SettableClock
) -> None:
    asking, counted = query.Asking(log.reader), "SELECT count(*) AS n FROM events"
    more = to_table([Row(clock.now(), "{}", "ecs")], "src", clock.now(), ["default"])

    counts = asking.rows(counted)
    for change in (lambda: None, lambda: log.append(more), log.seal, lambda: log.append(more)):
        change()
        counts += asking.rows(counted)

    assert [one["n"] for one in counts] == [3, 3, 4, 4, 5]


def test_a_question_that_was_refused_leaves_the_next_one_as_it_is(log: EmbeddedLog) -> None:
    asking = query.Asking(log.reader)

    for text in REFUSED.values():
        with pytest.raises(QueryError):
            asking.rows(text.format(root=log.reader.root))

    assert asking.rows("SELECT count(*) AS n FROM events") == [{"n": 3}]


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_not_one_select_on_events_is_refused(log: EmbeddedLog, text: str) -> None:
    before = sorted(log.reader.root.rglob("*"))

    with pytest.raises(QueryError):
        query.sql(log.reader, text.format(root=log.reader.root))

    assert sorted(log.reader.root.rglob("*")) == before


def test_who_asks_for_another_table_is_told_the_only_one(log: EmbeddedLog) -> None:
    with pytest.raises(QueryError, match="nosuch does not exist! Ask the view events"):
        query.sql(log.reader, "SELECT * FROM nosuch")


@pytest.mark.parametrize(
    ("allowed", "text", "reason"),
    [
        (Logs(sql_seconds=0.2), "SELECT count(*) FROM range(10000000) a, range(10000000) b", "took longer than 0.2 s"),
        (Logs(sql_memory_mb=64), "SELECT list(x ORDER BY x) FROM range(50000000) t(x)", "(?i)memory"),
    ],
    ids=["time", "memory"],
)  # fmt: skip
def test_a_question_may_use_so_much_and_no_more(
    log: EmbeddedLog, allowed: Logs, text: str, reason: str
) -> None:
    with pytest.raises(QueryError, match=reason):
        query.sql(log.reader, text, allowed=allowed)
