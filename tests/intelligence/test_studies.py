"""What is studied comes from stored events, and only what is new is read again."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from soc.app import studies
from soc.app.suite import Suite
from soc.app.taking import store
from soc.cli.main import app
from soc.clock import SettableClock
from soc.errors import NotFound
from soc.incidents import lifecycle
from soc.incidents.lifecycle import Verdict
from soc.incidents.record import record
from soc.logs.embedded import EmbeddedLog
from soc.model.finding import Finding
from soc.store.session import session
from tests.conftest import NOON

GIVER, OTHER = "0x" + "ab" * 20, "0x" + "cd" * 20
Plain = dict[str, Any]


@pytest.fixture
def log(suite: Suite) -> Iterator[EmbeddedLog]:
    log = suite.log()
    yield log
    log.close()


def gift(tx: str, wallet: str, dataset: str = "chain.donation") -> Plain:
    return {
        "@timestamp": NOON.isoformat(),
        "event": {"dataset": dataset, "action": "donate", "id": f"{dataset}:{tx}"},
        "wallet": {"address": wallet},
        "funding": {
            "round": {"id": "r1"},
            "project": {"id": "p1"},
            "amount": {"raw": "5000000"},
            "token": {"symbol": "USDC"},
        },
        "chain": {"id": 1, "tx": {"hash": tx}, "finality": "finalized"},
    }


def take(suite: Suite, log: EmbeddedLog, *events: Plain) -> None:
    rows = suite.intake.read([(json.dumps(one).encode(), None) for one in events])
    store(suite, log, [("src", row) for row in rows])


def test_a_build_reads_what_is_new_and_comes_to_the_same_as_from_the_start(
    suite: Suite, log: EmbeddedLog
) -> None:
    take(suite, log, gift("0x1", GIVER, "funding.donation"), gift("0x2", OTHER))
    first = studies.build_view(suite)
    take(suite, log, gift("0x1", GIVER))
    second, third = studies.build_view(suite), studies.build_view(suite)
    old, whole = studies.view(suite), studies.build_view(suite, full=True)
    new = studies.view(suite)

    assert [one["added"] for one in (first, second, third, whole)] == [2, 1, 0, 3]
    assert [one["version"] for one in (first, second, third, whole)] == [1, 2, 3, 4]
    assert (old.users, old.transactions) == (new.users, new.transactions)
    assert new.transactions["confirmed_at"].null_count == 0
    assert studies.view(suite, 1).transactions["confirmed_at"].null_count == 1


def test_without_events_a_view_is_empty_and_without_a_view_there_is_none(suite: Suite) -> None:
    with pytest.raises(NotFound, match="soc intelligence build"):
        studies.features(suite, None, None, 0)

    assert studies.build_view(suite)["rows"]["transactions"] == 0


def test_findings_mark_wallets_until_a_person_clears_them(
    suite: Suite, clock: SettableClock, log: EmbeddedLog, finding: Callable[..., Finding]
) -> None:
    take(suite, log, gift("0x1", GIVER), gift("0x2", OTHER))
    with session(suite.database) as writing:
        record(writing, [finding(f"wallet:{GIVER}")], {}, NOON, suite.settings.incidents)
    statuses = []
    for _ in range(2):
        clock.moment += timedelta(minutes=5)
        studies.build_view(suite)
        _, frame = studies.features(suite, None, None, 6)
        statuses.append(frame.table["status"].to_pylist())
        act = {"verdict": Verdict.FALSE_POSITIVE, "note": "n", "actor": "user:a"}
        with session(suite.database) as writing:
            if len(statuses) == 1:
                lifecycle.close(writing, 1, **act, now=clock.moment)

    assert statuses == [["flagged", "active"], ["active", "active"]]
    assert frame.table["total_amount"].to_pylist() == [5, 5]


def test_commands_make_a_version_and_a_table(
    suite: Suite, log: EmbeddedLog, tmp_path: Path
) -> None:
    take(suite, log, gift("0x1", GIVER), {**gift("0x2", OTHER), "chain": {"tx": {"hash": "0x2"}}})
    home = ["--home", str(suite.home.path)]
    out = tmp_path / "features.csv"
    built = CliRunner().invoke(app, ["intelligence", "build", "--json", *home])
    made = CliRunner().invoke(app, ["intelligence", "features", "--out", str(out), "--json", *home])

    assert json.loads(built.stdout)["rows"]["users"] == 2
    assert json.loads(made.stdout)["users"] == len(out.read_text().splitlines()) - 1 == 2
    assert {"name", "unit", "definition", "missing"} == set(json.loads(made.stdout)["features"][0])
