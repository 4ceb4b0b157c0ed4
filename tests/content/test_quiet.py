"""The packaged rules say nothing of honest people: a demo round is shown to all of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pytest
import yaml

from soc import plugins
from soc.content.folders import packaged
from soc.demo.stage import DAY, SETTINGS
from soc.detect.rules import Remembered, Rules
from soc.detect.sigma.load import load_rules
from soc.ingest.parse import Intake
from soc.model.event import SCHEMA, Batch, Row, to_table
from soc.model.finding import Finding
from soc.settings import Detect
from soc.simulate import RoundPlan, plan

OPENED = datetime(2026, 11, 25, 12, tzinfo=UTC)
BLOCK = timedelta(seconds=0.5)
INTAKE = Intake({name: kind() for name, kind in plugins.load("soc.parsers").items()})
RULES = Rules(
    load_rules([packaged("rules")]), Detect.model_validate(yaml.safe_load(SETTINGS)["detect"])
)


def told(it: RoundPlan) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield what the demo platform and its indexer tell of a round, each with its day."""
    for n, gift in enumerate((*it.gifts, *it.forgeries)):
        tx = {"tx": {"hash": getattr(gift, "tx_hash", f"0x{n:064x}")}}
        funding = {
            "round": {"id": it.round.id},
            "project": {"id": gift.project},
            "amount": {"raw": str(gift.amount)},
            "token": {"symbol": "USDC"},
        }
        ip = next(w.ip for w in it.wallets if w.address == gift.wallet)
        said = {"wallet": {"address": gift.wallet}, "funding": funding}
        announced = {**said, "chain": tx, "source": {"ip": ip}}
        yield gift.at, of("funding.donation", "donate", **announced)
        yield gift.at, visit(ip, "/donations", "POST", 201)
        if gift in it.gifts:
            number = int(timedelta(seconds=gift.at * DAY) / BLOCK)
            place = {"id": 31337, "block": {"number": number}, "finality": "finalized", **tx}
            yield gift.at, of("chain.donation", "donate", **said, chain=place)
    for move in it.transfers:
        chain = {"value": {"raw": str(move.amount)}, "finality": "finalized"}
        wallets = {"wallet": {"address": move.sender}, "counterparty": {"address": move.receiver}}
        yield move.at, of("chain.transfer", "transfer", **wallets, chain=chain)
    for seen in it.visits:
        yield seen.at, visit(seen.ip, seen.path, "GET", 200)
    for login in it.logins:
        who = {"user": {"name": login.account}, "source": {"ip": login.ip}}
        outcome = "success" if login.succeeds else "failure"
        yield login.at, of("platform.auth", "login", outcome, **who)
        yield login.at, visit(login.ip, "/admin/login", "POST", 200 if login.succeeds else 401)
    for one in it.projects:
        project = {"id": one.id, "name": one.name, "owner": one.owner}
        yield -1, of("funding.project", "project-registered", funding={"project": project})


def of(dataset: str, action: str, outcome: str = "success", **groups: Any) -> dict[str, Any]:
    return {"event": {"dataset": dataset, "action": action, "outcome": outcome}, **groups}


def visit(ip: str, path: str, method: str, status: int) -> dict[str, Any]:
    http = {"request": {"method": method}, "response": {"status_code": status}}
    return of("platform.access", "request", http=http, url={"path": path}, source={"ip": ip})


def findings(it: RoundPlan) -> tuple[Finding, ...]:
    documents = [
        {"@timestamp": (OPENED + timedelta(seconds=day * DAY)).isoformat(), **document}
        for day, document in sorted(told(it), key=lambda one: one[0])
    ]
    rows = INTAKE.read([(orjson.dumps(document), None) for document in documents])
    assert all(isinstance(row, Row) for row in rows)
    table = to_table(rows, "platform", OPENED + timedelta(days=1), ["default"] * len(rows))
    numbers = pa.array(range(1, len(rows) + 1), pa.int64())
    batch = Batch(table.set_column(0, SCHEMA.field("seq"), numbers), len(rows))
    observed = RULES.observe(batch, Remembered(), OPENED + timedelta(days=1))
    assert observed.failures == ()
    return observed.findings


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_only_attackers_are_found_in_a_round(seed: int) -> None:
    it = plan(seed)
    guilty = {
        name for attack in it.attacks for name in (*attack.wallets, *attack.ips, *attack.accounts)
    }

    found = {(one.rule, one.entity.value in guilty) for one in findings(it)}

    assert found == {("qf-admin-bruteforce", True), ("qf-api-abuse", True)}
