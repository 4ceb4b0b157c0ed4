"""What is due: to the second, and never anything else."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from soc.app.suite import Suite
from soc.cli.main import app
from soc.clock import SettableClock
from soc.content.folders import packaged
from soc.logs.chain import Segment
from soc.model.event import Row, to_table
from soc.retain.classify import Classifier
from soc.retain.load import read_policy
from soc.retain.plan import Act, plan
from tests import stores

POLICY = read_policy(packaged("retention") / "qf.yml")
TIMED = {c.id: c for c in POLICY.classes if c.keep_at_least and c.store == "events"}
DAY = date(2026, 1, 10)
YOUNGEST = datetime(2026, 1, 10, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def segment(name: str, youngest: datetime = YOUNGEST, rows: int = 5) -> Segment:
    return Segment(
        path=f"{name}/{DAY}/s.parquet",
        data_class=name,
        day=DAY,
        rows=rows,
        first=1,
        last=rows,
        min_ts=youngest - timedelta(hours=1),
        max_ts=youngest,
        sha256="0" * 64,
        bytes=100,
    )


@pytest.mark.parametrize("name", sorted(TIMED))
def test_nothing_is_deleted_a_second_before_its_minimum_and_all_is_due_then(name: str) -> None:
    least = TIMED[name].keep_at_least
    assert least is not None

    before = plan(POLICY, [segment(name)], YOUNGEST + least - SECOND)
    then = plan(POLICY, [segment(name)], YOUNGEST + least)

    assert not [item for item in before.items if item.act is Act.DELETE]
    (item,) = then.items
    assert (item.act, item.rows, item.due) == (Act.DELETE, 5, YOUNGEST + least)
    assert item.delete_by is not None
    assert item.delete_by - item.due >= POLICY.sweep_every


def test_transactions_are_archived_after_a_year_and_deleted_after_two() -> None:
    found = {
        days: plan(POLICY, [segment("ret-tx")], YOUNGEST + timedelta(days)).items
        for days in (364, 365, 729, 730)
    }
    acts = {days: [item.act for item in items] for days, items in found.items()}

    assert acts == {364: [], 365: [Act.ARCHIVE], 729: [Act.ARCHIVE], 730: [Act.DELETE]}


def test_failed_transactions_are_never_archived() -> None:
    for days in range(0, 400, 5):
        found = plan(POLICY, [segment("ret-failed")], YOUNGEST + timedelta(days))
        assert all(item.act is Act.DELETE for item in found.items)


@pytest.mark.parametrize("name", ["ret-user", "unheard-of"])
def test_what_has_no_end_is_never_due(name: str) -> None:
    found = plan(POLICY, [segment(name)], YOUNGEST + timedelta(days=36500))

    assert found.items == ()
    assert found.unknown == (() if name == "ret-user" else ("unheard-of",))


def test_an_event_from_the_future_does_not_keep_its_segment_for_ever() -> None:
    ahead = segment("ret-debug", YOUNGEST + timedelta(days=3650))
    end_of_day = datetime(2026, 1, 11, tzinfo=UTC)

    (item,) = plan(POLICY, [ahead], end_of_day + timedelta(days=30)).items

    assert item.due == end_of_day + timedelta(days=30)


@given(st.permutations(sorted(TIMED)), st.integers(0, 900))
def test_the_plan_and_its_digest_do_not_depend_on_order(names: list[str], days: int) -> None:
    now = YOUNGEST + timedelta(days=days)

    one, other = (plan(POLICY, map(segment, some), now) for some in (names, sorted(names)))

    assert (one, one.digest) == (other, other.digest)


def test_the_digest_stands_while_what_is_due_stands() -> None:
    due = YOUNGEST + timedelta(days=40)
    first = plan(POLICY, [segment("ret-debug")], due)
    later = plan(POLICY, [segment("ret-debug")], due + timedelta(days=1))
    other = plan(POLICY, [segment("ret-debug", rows=6)], due)

    assert first.digest == later.digest != other.digest


def test_the_command_lists_what_is_due_in_the_real_store_and_touches_nothing(
    tmp_path: Path,
) -> None:
    stores.home(tmp_path / "home")
    clock = SettableClock(YOUNGEST)
    suite = Suite(tmp_path / "home", clock)
    rows = [
        Row(YOUNGEST, "{}", "ecs", dataset="chain.transfer", event_id="a"),
        Row(YOUNGEST, '{"log":{"level":"debug"}}', "ecs", dataset="shop", event_id="b"),
    ]
    log = suite.log()
    log.append(to_table(rows, "platform", YOUNGEST, list(map(Classifier(POLICY), rows))))
    log.seal()
    log.close()

    arguments = ["retention", "plan", "--json", "--home", str(tmp_path / "home")]
    told = [json.loads(CliRunner().invoke(app, arguments).stdout) for _ in range(2)]

    assert told[0] == told[1]
    acts = {item["data_class"]: item["act"] for item in told[0]["items"]}
    assert acts["ret-debug"] == "delete"
    assert {one.data_class for one in suite.reader.view().segments} == {"ret-debug", "ret-tx"}


def test_check_names_contradictions_and_exits_with_two(tmp_path: Path) -> None:
    path = tmp_path / "qf.yml"
    text = (packaged("retention") / "qf.yml").read_text()
    path.write_text(text.replace("covers: [P08]", "covers: []"))
    home = ["--home", str(tmp_path / "home")]

    good = CliRunner().invoke(app, ["retention", "check", *home])
    bad = CliRunner().invoke(app, ["retention", "check", str(path), *home])

    assert (good.exit_code, good.output) == (0, "")
    assert bad.exit_code == 2
    assert f"{path}:" in bad.stderr
