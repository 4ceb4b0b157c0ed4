"""Every figure can be recomputed from its rows by somebody who has none of our code."""

import csv
import io
import json
import random
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from statistics import median_low
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.app.measuring import Board, figures, rows
from soc.app.suite import Suite
from soc.clock import SettableClock
from soc.incidents.kpis.definitions import ALL, BY_SLUG
from soc.incidents.kpis.statistics import Spread, wilson
from soc.store.session import session
from soc.store.tables import DetectorWindow, Incident
from soc.web.kpis import table
from tests.conftest import NOON
from tests.incidents.kpis.site import alert_of, fill

WEEK = timedelta(days=7)
REGRADE = Path(__file__).with_name("regrade.py")
SLUGS = [kpi.slug for kpi in ALL]


@pytest.fixture
def valued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOC_INCIDENTS__KPIS", json.dumps({"high_value": 10**20}))
    monkeypatch.setenv("SOC_INPUTS__SILENT_AFTER", '"1h"')
    monkeypatch.setenv("SOC_INPUTS__SOURCES", json.dumps([{"name": "x"}]))


@pytest.fixture(params=[1, 2, 3])
def filled(request: pytest.FixtureRequest, valued: None, suite: Suite) -> Suite:
    fill(suite, request.param)
    with session(suite.database) as writing:
        writing.add(DetectorWindow(detector="sigma", state="{}", moved=NOON))
    return suite


@pytest.fixture
def empty(suite: Suite) -> Suite:
    return suite


def by_slug(suite: Suite, window: timedelta = WEEK) -> dict[str, dict[str, Any]]:
    return {told["kpi"]: told for told in figures(suite, window)}


def exported(suite: Suite) -> dict[str, list[dict[str, Any]]]:
    return {slug: list(rows(suite, slug, WEEK).rows) for slug in SLUGS}


def test_every_figure_is_recomputed_in_plain_sql_without_the_product(filled: Suite) -> None:
    told, given_ = by_slug(filled), exported(filled)

    answer = subprocess.run(
        [sys.executable, "-I", str(REGRADE)],
        input=json.dumps({"rows": given_}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    recomputed = json.loads(answer.stdout)

    assert set(recomputed) == set(SLUGS)
    for slug, value in recomputed.items():
        assert told[slug]["value"] == pytest.approx(value, rel=1e-12), slug
        assert told[slug]["n"] > 0, slug


def test_the_grader_has_nothing_of_the_product() -> None:
    imported = {
        line.split()[1]
        for line in REGRADE.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }

    assert imported == {"json", "sqlite3", "sys"}


def test_the_query_that_a_figure_states_gives_its_value_from_the_exported_csv(
    filled: Suite,
) -> None:
    told = by_slug(filled)
    for slug, found in exported(filled).items():
        read = list(csv.DictReader(io.StringIO(table(found))))
        store = sqlite3.connect(":memory:")
        kinds = {
            name: "TEXT" if isinstance(value, str) else "INTEGER"
            for name, value in found[0].items()
        }
        store.execute("CREATE TABLE rows (" + ", ".join(f"{n} {k}" for n, k in kinds.items()) + ")")
        marks = ", ".join("?" for _ in kinds)
        store.executemany(
            f"INSERT INTO rows VALUES ({marks})", [[row[n] or None for n in kinds] for row in read]
        )
        (value,) = store.execute(told[slug]["query"]).fetchone()
        store.close()

        assert value == pytest.approx(told[slug]["value"], rel=1e-12), slug


def test_the_parts_of_the_time_to_detect_add_up_for_each_incident(filled: Suite) -> None:
    found = [row for row in rows(filled, "mttd", WEEK).rows if row["ingested_us"] is not None]

    assert len(found) > 3
    for row in found:
        parts = (row["ingested_us"] - row["occurred_us"]) + (
            row["detected_us"] - row["ingested_us"]
        )
        assert parts == row["detected_us"] - row["occurred_us"]


def test_tests_duplicates_and_what_is_no_security_incident_are_left_out(filled: Suite) -> None:
    with session(filled.database) as looking:
        left_out = [
            number
            for number in range(1, 41)
            if (row := looking.get_one(Incident, number)).operations
            or row.monitor
            or row.verdict in {"test", "duplicate"}
        ]

    for slug in ("mttd", "automation-rate", "false-positive-rate", "precision", "backlog"):
        assert not {row["incident"] for row in rows(filled, slug, WEEK).rows}.intersection(left_out)
    assert left_out


def test_a_merged_incident_counts_once(filled: Suite) -> None:
    before = by_slug(filled)["mttd"]["n"]
    (kept, merged, *_) = [row["incident"] for row in rows(filled, "mttd", WEEK).rows]
    with session(filled.database) as writing:
        writing.get_one(Incident, merged).merged_into = kept

    assert by_slug(filled)["mttd"]["n"] == before - 1


def test_an_incident_that_is_asked_for_but_not_verified_is_not_contained(filled: Suite) -> None:
    found = rows(filled, "mttc", WEEK).rows

    assert any(row["contained_us"] is None for row in found)
    assert all(row["contained_us"] > row["detected_us"] for row in found if row["contained_us"])


def test_every_figure_says_what_it_is(filled: Suite) -> None:
    for told in figures(filled, WEEK):
        assert told["definition"].endswith(".")
        assert told["since"] == "2026-11-16T12:00:00Z"
        assert told["until"] == "2026-11-23T12:00:00Z"
        assert told["low"] is None or told["low"] <= told["value"] <= told["high"]
        assert (told["method"] == "") == (told["low"] is None)
        assert told["fresh"]


def test_without_data_every_figure_says_why_and_none_says_zero(empty: Suite) -> None:
    told = by_slug(empty)

    assert set(told) == set(SLUGS)
    backlog = told.pop("backlog")
    assert (backlog["value"], backlog["n"]) == (0, 0)
    for slug, one in told.items():
        assert one["value"] is None, slug
        assert one["reason"], slug
        assert one["level"] == "none", slug


def test_an_event_store_that_cannot_be_asked_is_no_data(filled: Suite) -> None:
    for segment in filled.home.events.rglob("*.parquet"):
        segment.write_bytes(b"broken")

    told = by_slug(filled)

    assert told["api-error-rate"]["value"] is None
    assert told["api-error-rate"]["reason"].startswith("the event store could not be asked")
    assert told["mttd"]["value"] is not None


def test_a_quiet_week_has_no_suspicious_hour_if_somebody_watched(empty: Suite) -> None:
    with session(empty.database) as writing:
        writing.add(DetectorWindow(detector="sigma", state="{}", moved=NOON))

    told = by_slug(empty)["suspicious-per-hour"]

    assert (told["value"], told["level"]) == (0, "good")


@pytest.mark.parametrize(
    ("alerts", "level"), [(0, "good"), (1, "watch"), (4, "watch"), (5, "warning"), (10, "critical")]
)
def test_alerts_of_an_hour_are_judged_by_the_levels(empty: Suite, alerts: int, level: str) -> None:
    with session(empty.database) as writing:
        writing.add(DetectorWindow(detector="sigma", state="{}", moved=NOON))
        writing.add_all(
            [
                alert_of(None, f"rule-{n}", "ip:192.0.2.1", NOON - timedelta(minutes=5))
                for n in range(alerts)
            ]
        )

    assert by_slug(empty)["suspicious-per-hour"]["level"] == level


def test_a_board_measures_once_for_all_who_ask_at_a_time(
    empty: Suite, clock: SettableClock
) -> None:
    board = Board(empty)
    first = board.figures(WEEK)
    clock.moment += timedelta(seconds=29)
    same = board.figures(WEEK)
    clock.moment += timedelta(seconds=2)

    assert same is first
    assert board.figures(WEEK) is not first


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_between_nothing_and_all(of: tuple[int, int]) -> None:
    hits, n = of

    low, high = wilson(hits, n)

    assert 0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1


def test_wilson_is_what_the_books_say() -> None:
    low, high = wilson(8, 10)

    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 4)), min_size=1, max_size=30))
def test_quantiles_are_those_of_all_values_written_out(values: list[tuple[int, int]]) -> None:
    spread = Spread(values)
    every = sorted(value for value, count in values for _ in range(count))

    assert spread.n == len(every)
    assert spread.quantile(50) == median_low(every)
    assert spread.quantile(100) == every[-1]
    assert spread.quantile(90) == every[-(-90 * len(every) // 100) - 1]


def test_the_interval_is_that_of_a_bootstrap_that_draws_every_sample() -> None:
    chance = random.Random(5)
    values = [chance.lognormvariate(3, 1) for _ in range(101)]
    medians = sorted(median_low(chance.choices(values, k=101)) for _ in range(4_000))
    spread = Spread((value, 1) for value in values)

    interval = spread.interval(50)

    assert interval == Spread((value, 1) for value in values).interval(50)
    assert interval is not None
    places = sorted(values)
    for ours, drawn in zip(interval, (medians[100], medians[3_899]), strict=True):
        assert abs(places.index(ours) - places.index(drawn)) <= 2


def test_one_value_has_no_interval() -> None:
    assert Spread([(3.0, 1)]).interval(50) is None


def test_no_slug_is_used_twice() -> None:
    assert len(BY_SLUG) == len(ALL)


def test_what_was_done_for_a_part_counts_for_the_whole(filled: Suite) -> None:
    before = {row["incident"]: row["contained_us"] for row in rows(filled, "mttc", WEEK).rows}
    contained = next(number for number, moment in before.items() if moment is not None)
    other = next(number for number, moment in before.items() if moment is None)

    with session(filled.database) as writing:
        writing.get_one(Incident, contained).merged_into = other
        writing.get_one(Incident, contained).verdict = "duplicate"

    after = {row["incident"]: row["contained_us"] for row in rows(filled, "mttc", WEEK).rows}
    assert after[other] == before[contained]
    assert contained not in after
