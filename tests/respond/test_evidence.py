"""What a run looks up, and what it keeps, is what is stored."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from soc.clock import SettableClock
from soc.incidents.alerts import Evidence
from soc.incidents.record import record
from soc.model.finding import Finding
from soc.store.session import Database, session
from soc.triage import Incidents
from tests.respond.stage import Stage, playbook

KEEP = {"id": "keep", "use": "evidence.snapshot"}


@pytest.fixture
def stage(database: Database, clock: SettableClock, tmp_path: Path) -> Stage:
    return Stage(database, clock, tmp_path)


def incident(stage: Stage, finding: Callable[..., Finding]) -> None:
    raw = Evidence(seq=7, ts=stage.clock.now(), source="platform", raw='{"amount": "1"}')
    with session(stage.database) as writing:
        found = finding(seqs=(7,))
        record(writing, [found], {7: raw}, stage.clock.now(), Incidents())


def test_evidence_is_kept_once_under_its_digest(
    stage: Stage, finding: Callable[..., Finding]
) -> None:
    incident(stage, finding)
    engine = stage.engine(evidence=stage.folder / "evidence")
    for _ in range(2):
        stage.queue(playbook([KEEP]), number=1)
        while engine.work():
            pass

    (kept,) = (stage.folder / "evidence").iterdir()
    first, second = stage.output("keep", 1), stage.output("keep", 2)
    assert first == second
    assert first["digest"] == f"sha256:{sha256(kept.read_bytes()).hexdigest()}"
    assert (first["alerts"], first["events"]) == (1, 1)
    assert kept.stat().st_mode & 0o777 == 0o600
    (alert,) = json.loads(kept.read_text())["alerts"]
    assert alert["events"][0]["raw"] == '{"amount": "1"}'


@pytest.mark.parametrize("mode", ["live", "dry_run"])
def test_a_search_looks_back_as_far_as_it_says_and_not_ahead(stage: Stage, mode: str) -> None:
    asked: list[tuple[str, datetime, datetime, int]] = []

    def search(query: str, since: datetime, until: datetime, limit: int) -> list[dict[str, object]]:
        asked.append((query, since, until, limit))
        return [{"seq": 1, "wallet": "0xa"}]

    look = {
        "id": "look",
        "use": "logs.search",
        "with": {"query": "wallet.address:${{ incident.wallets | first }}", "since": "2h"},
    }
    stage.queue(playbook([look]), incident={"wallets": ["0xa"]}, mode=mode)
    engine = stage.engine(search=search)
    while engine.work():
        pass

    now = stage.clock.now()
    assert asked == [("wallet.address:0xa", now - timedelta(hours=2), now, 20)]
    assert stage.output("look") == {"count": 1, "events": [{"seq": 1, "wallet": "0xa"}]}
