"""What is learned of users is the same whether their events lie on a cluster or in the home."""

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.servers import stores
from tests.servers.opensearch import Node
from tests.web.serving import make_home, serving

pytestmark = [
    pytest.mark.server,
    pytest.mark.xdist_group("opensearch"),
    pytest.mark.timeout(480),
]
SETTINGS = "logs: {seal_after: 1s}\nintelligence: {currency: '1:USDC'}\n"
DRAFT = ["--title", "Does it help?", "--owner", "role:funding", "--metric", "gifts"]
ARMS = ["--arm", "default", "--arm", "recommended"]


def soc(home: Path, *words: str, said: str = "") -> Any:
    return json.loads(run(home, *words, "--json", said=said))


def run(home: Path, *words: str, said: str = "") -> str:
    command = [sys.executable, "-m", "soc.cli.main", *words, "--home", str(home)]
    done = subprocess.run(command, input=said, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def gifts() -> str:
    """Return 400 gifts of 60 wallets, a day old, in the order in which they were made."""
    rng = np.random.default_rng(5)
    begin = datetime.now(UTC) - timedelta(days=1)
    return "\n".join(
        json.dumps(
            {
                "@timestamp": (begin + timedelta(seconds=n)).isoformat(),
                "event": {"dataset": "chain.donation", "action": "donate", "id": f"gift:{n}"},
                "wallet": {"address": f"0x{rng.integers(1, 61):040x}"},
                "funding": {
                    "round": {"id": "r1"},
                    "project": {"id": f"p{rng.integers(9)}"},
                    "amount": {"raw": str(rng.integers(1, 9_000))},
                    "token": {"symbol": "USDC"},
                },
                "chain": {"id": 1, "tx": {"hash": f"0x{n:x}"}, "finality": "finalized"},
            }
        )
        for n in range(400)
    )


def test_views_features_and_exposures_of_a_cluster_are_those_of_a_home(
    opensearch: Node, tmp_path: Path
) -> None:
    stores.wipe(opensearch)
    told, moment = gifts(), (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    served = f"opensearch: {{urls: ['{opensearch.url}']}}\n"
    found = [
        _studied(tmp_path / name, SETTINGS + more, told, moment)
        for name, more in (("embedded", ""), ("cluster", served))
    ]

    (rows, users, suggested, exposed), other = found
    assert (rows, suggested, exposed) == (other[0], other[2], other[3])
    for one, same in zip(users, other[1], strict=True):
        numbers = {name for name, value in one.items() if isinstance(value, float)}
        assert {n: one[n] for n in one.keys() - numbers} == {
            n: same[n] for n in one.keys() - numbers
        }
        assert {n: one[n] for n in numbers} == pytest.approx({n: same[n] for n in numbers})
    assert (rows["transactions"], rows["users"], len(users)) == (400, 60, 60)
    assert suggested["suggestions"]
    assert exposed == 60


def _studied(home: Path, settings: str, told: str, moment: str) -> tuple[Any, Any, Any, int]:
    """Return rows of the view, features, what is suggested, and how many units saw an arm."""
    make_home(home, settings)
    with serving(home, "--port", "0"):
        assert soc(home, "ingest", "-", "--source", "indexer", said=told)["accepted"] == 400
        built = soc(home, "intelligence", "build")
        table = home.parent / f"{home.name}.csv"
        soc(home, "intelligence", "features", "--out", str(table), "--as-of", moment)
        giver = f"0x{7:040x}"
        suggested = soc(home, "intelligence", "recommend", "--wallet", giver, "--as-of", moment)
        experiment = ("intelligence", "experiment")
        run(home, *experiment, "create", "page", *DRAFT, *ARMS, "--units", "800")
        run(home, *experiment, "start", "page", "--reason", "tried")
        soc(home, *experiment, "assign", "page", *(f"0x{n:040x}" for n in range(60)))
        watched = soc(home, *experiment, "report", "page", "--watch")
    rows = {name: built["rows"][name] for name in ("users", "transactions", "refused")}
    with table.open() as lines:
        # When finality was known is when its event came, to either home at another moment.
        read = [{**row, "avg_finality": ""} for row in csv.DictReader(lines)]
    users = [{name: _number(value) for name, value in row.items()} for row in read]
    users.sort(key=lambda row: row["wallet"])
    return rows, users, suggested, sum(watched["standing"]["exposed"].values())


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
