import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from soc.demo.driver.machine import RoundClock
from soc.demo.driver.responder import Responder
from soc.demo.driver.truth import Truth
from soc.simulate import SMALL, AttackKind, Role, plan
from tests.demo.conftest import Running
from tests.demo.suite import Suite

SEED = 3
PLAN = plan(SEED, SMALL)
HELD = PLAN.addresses(Role.SYBIL)[0]
GIFTS = sum(gift.wallet != HELD for gift in PLAN.gifts)
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def played(
    start: Callable[..., Running], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Running, list[dict[str, Any]]]:
    """A small round that has been played to its end while one sybil was quarantined."""
    shop = start(tmp_path_factory.mktemp("home"))
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    shut = {"subject": f"wallet:{HELD}", "kind": "quarantine"}
    shop.suite.enforce({**shut, "rate": 0, "burst": 0, "until": until, "effect": "eff-1"})
    asked = datetime.now(UTC).isoformat()
    shop.suite.pending = [{"id": "ap/1", "step": "quarantine", "asked_at": asked, "digest": "d1"}]
    (shop.home / "approver").write_text("person\n")
    command = [sys.executable, "-W", "error", "-m", "soc.demo.driver", "--home", str(shop.home)]
    command += ["--platform", shop.url, "--suite", shop.suite.url, "--seed", str(SEED)]
    command += ["--suite-token-file", str(shop.home / "approver"), "--day-seconds", "0.4"]
    done = subprocess.run(
        [*command, "--size", "small"], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    shop.suite.wait_until_seen(lambda each: each["event"]["action"] == "round-closed")
    shop.suite.wait_until_seen(lambda each: each["event"]["dataset"] == "chain.donation", GIFTS)
    return shop, [json.loads(line) for line in done.stdout.splitlines()]


Played = tuple[Running, list[dict[str, Any]]]


def test_every_planned_act_reaches_the_platform(played: Played) -> None:
    shop, lines = played

    assert len(shop.suite.seen("chain.donation")) == GIFTS
    assert len(shop.suite.seen("funding.donation")) == GIFTS + len(PLAN.forgeries)
    assert len(shop.suite.seen("chain.transfer")) == len(PLAN.transfers)
    assert len(shop.suite.seen("platform.auth")) == len(PLAN.logins)
    assert len(shop.suite.seen("funding.project")) == len(PLAN.projects)
    assert set(lines[-1]["answers"]) == {"200", "201", "202", "401", "403"}
    assert sum(lines[-1]["answers"].values()) == len(shop.access())


def test_a_wallet_that_is_held_back_keeps_trying(played: Played) -> None:
    shop, _ = played

    tries = [each for each in shop.access() if each["wallet"] == HELD and each["method"] == "POST"]

    assert len(tries) == sum(gift.wallet == HELD for gift in PLAN.gifts)
    assert {(each["status"], each["effect"]) for each in tries} == {(403, "eff-1")}


def test_forged_hashes_are_never_on_chain(played: Played) -> None:
    shop, _ = played
    on_chain = {each["chain"]["tx"]["hash"] for each in shop.suite.seen("chain.donation")}
    told = {each["chain"]["tx"]["hash"] for each in shop.suite.seen("funding.donation")}

    assert told - on_chain == {each.tx_hash for each in PLAN.forgeries}


def test_addresses_and_accounts_arrive_as_planned(played: Played) -> None:
    shop, _ = played
    bad = next(each for each in PLAN.attacks if each.kind is AttackKind.ADMIN_BRUTEFORCE)
    failures = [
        each for each in shop.suite.seen("platform.auth") if each["source"]["ip"] in bad.ips
    ]
    ips = {wallet.address: wallet.ip for wallet in PLAN.wallets}

    assert {each["event"]["outcome"] for each in failures} == {"failure"}
    assert {each["user"]["name"] for each in failures} == set(bad.accounts)
    assert all(ips[each["wallet"]] == each["ip"] for each in shop.access() if each["wallet"])


def test_the_truth_is_written_as_the_contract_has_it(played: Played) -> None:
    shop, _ = played

    truth = json.loads((shop.home / "truth.json").read_text())

    assert sorted(truth) == ["attacks", "seed", "wallets"]
    assert truth["seed"] == SEED
    assert truth["wallets"]["honest"] == list(PLAN.honest)
    assert set(truth["wallets"]["payroll"]) < set(truth["wallets"]["honest"])
    assert sorted(truth["wallets"]) == ["honest", "payroll", "sybil"]
    assert {each["kind"] for each in truth["attacks"]} == {kind.value for kind in AttackKind}
    for each in truth["attacks"]:
        assert sorted(each) == ["accounts", "ended", "ips", "kind", "started", "wallets"]
        started, ended = (datetime.fromisoformat(each[key]) for key in ("started", "ended"))
        assert timedelta() < ended - started < timedelta(seconds=14 * 0.4)


def test_progress_is_told_from_beginning_to_end(played: Played) -> None:
    _, lines = played
    told = [line["event"] for line in lines]

    assert [line["progress"] for line in lines] == sorted(line["progress"] for line in lines)
    assert {f"{kind} started" for kind in AttackKind} <= set(told)
    assert told[-1] == "round is over"


def test_approvals_are_given_after_a_day_of_thought(played: Played) -> None:
    shop, _ = played

    path, body = shop.suite.decisions[0]

    assert path == "/api/v1/approvals/ap%2F1/decide"
    assert (body["decision"], body["digest"]) == ("approve", "d1")
    assert body["reason"]


def test_events_keep_to_the_published_format(
    played: Played, validator: Draft202012Validator
) -> None:
    shop, _ = played

    assert [e.message for each in shop.suite.events for e in validator.iter_errors(each)] == []


def test_what_is_too_fresh_is_not_decided(suite: Suite) -> None:
    fresh, old = datetime.now(UTC), datetime.now(UTC) - timedelta(hours=2)
    suite.pending = [
        {"id": "fresh", "step": "s", "asked_at": fresh.isoformat(), "digest": "a"},
        {"id": "broken", "step": "s", "asked_at": None, "digest": "a"},
        {"id": "old", "step": "s", "asked_at": old.isoformat(), "digest": "b"},
    ]
    said: list[str] = []
    responder = Responder(suite.url, "t", timedelta(hours=1), said.append)

    responder.look()
    responder.close()

    assert [path for path, _ in suite.decisions] == ["/api/v1/approvals/old/decide"]
    assert said == ["approval old of step s: 200"]


def test_late_attempts_do_not_prolong_an_attack(tmp_path: Path) -> None:
    clock = RoundClock(opening=START, day_seconds=1)
    truth = Truth(PLAN, clock, tmp_path / "truth.json")
    first, last, late = (START + timedelta(hours=hour) for hour in (1, 2, 3))

    assert truth.saw(AttackKind.SYBIL_FANOUT, 2, first)
    assert not truth.saw(AttackKind.SYBIL_FANOUT, 3, last)
    assert not truth.saw(AttackKind.SYBIL_FANOUT, 13, late)
    truth.write()

    written = json.loads((tmp_path / "truth.json").read_text())
    seen = next(each for each in written["attacks"] if each["kind"] == "sybil_fanout")
    assert (seen["started"], seen["ended"]) == (
        "2026-11-23T13:00:00.000000Z",
        "2026-11-23T14:00:00.000000Z",
    )
    assert [each.name for each in tmp_path.iterdir()] == ["truth.json"]
