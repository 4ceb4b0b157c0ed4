from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.demo.conftest import Running

A, B, C, D, E, F = (f"0x{digit * 40}" for digit in "abcdef")
MONEY = {"round": "r1", "project": "p1", "amount": "25000000"}
HASH = f"0x{'9' * 64}"


@pytest.fixture(scope="module")
def shop(start: Callable[..., Running], tmp_path_factory: pytest.TempPathFactory) -> Running:
    """A platform with an open round, a closed one, and one of the staff."""
    shop = start(tmp_path_factory.mktemp("home"))
    moments = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-15T00:00:00Z"}
    acts: list[tuple[str, dict[str, Any]]] = [
        ("accounts", {"name": "ines", "password": "right", "roles": ["admin"]}),
        ("rounds", {"id": "r1", "name": "One", "pool": "1000", **moments}),
        ("rounds", {"id": "r0", "name": "Zero", "pool": "1000", **moments}),
        (
            "projects",
            {"id": "p1", "round": "r1", "name": "Bees", "owner": D.upper().replace("X", "x")},
        ),
        ("projects", {"id": "p0", "round": "r0", "name": "Old", "owner": D}),
        ("rounds/r0/close", {}),
    ]
    for path, body in acts:
        answer = requests.post(
            f"{shop.url}/admin/{path}", json=body, headers=shop.operator, timeout=9
        )
        assert answer.ok, answer.text
    return shop


def enter(web: requests.Session, shop: Running, wallet: str, ip: str) -> None:
    """Open a session of *wallet* for everything that *web* sends from now on."""
    web.headers["X-Forwarded-For"] = ip
    token = web.post(f"{shop.url}/session", json={"wallet": wallet}).json()["token"]
    web.headers["Authorization"] = f"Bearer {token}"


def about(wallet: str, dataset: str) -> Callable[[dict[str, Any]], bool]:
    def is_it(event: dict[str, Any]) -> bool:
        return bool(
            event["event"]["dataset"] == dataset
            and event.get("wallet", {}).get("address") == wallet
        )

    return is_it


def rule(subject: str, kind: str, **more: object) -> dict[str, Any]:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {"subject": subject, "kind": kind, "until": until, "rate": 0, "burst": 0, **more}


def test_a_gift_is_made_on_chain_announced_and_confirmed_by_the_indexer(
    shop: Running, web: requests.Session
) -> None:
    enter(web, shop, A.upper().replace("X", "x"), "192.0.2.10")

    given = web.post(f"{shop.url}/chain/donate", json=MONEY)
    told = web.post(f"{shop.url}/donations", json={**MONEY, **given.json()})

    assert (given.status_code, told.status_code) == (202, 201)
    announced = shop.suite.wait_until_seen(about(A, "funding.donation"))[0]
    on_chain = shop.suite.wait_until_seen(about(A, "chain.donation"))[0]
    assert announced["source"] == {"ip": "192.0.2.10"}
    assert announced["chain"]["tx"] == on_chain["chain"]["tx"] == {"hash": given.json()["tx_hash"]}
    assert announced["funding"]["amount"] == on_chain["funding"]["amount"] == {"raw": "25000000"}
    own = web.get(f"{shop.url}/donations").json()
    assert [(each["state"], each["wallet"]) for each in own] == [("confirmed", A)]


def test_a_transfer_is_seen_on_chain(shop: Running, web: requests.Session) -> None:
    enter(web, shop, B, "192.0.2.11")

    web.post(f"{shop.url}/chain/transfer", json={"to": C, "amount": "7"}).raise_for_status()

    event = shop.suite.wait_until_seen(about(B, "chain.transfer"))[0]
    assert event["counterparty"] == {"address": C}
    assert event["chain"]["value"] == {"raw": "7"}


def test_what_is_announced_but_never_made_stays_announced(
    shop: Running, web: requests.Session
) -> None:
    enter(web, shop, C, "192.0.2.12")

    web.post(f"{shop.url}/donations", json={**MONEY, "tx_hash": HASH}).raise_for_status()
    again = web.post(f"{shop.url}/donations", json={**MONEY, "tx_hash": HASH})

    assert again.status_code == 409
    assert [each["state"] for each in web.get(f"{shop.url}/donations").json()] == ["announced"]


BAD_GIFTS = {
    "no such project": ({"project": "p9"}, 422),
    "project of another round": ({"project": "p0"}, 422),
    "closed round": ({"round": "r0", "project": "p0"}, 409),
    "nothing": ({"amount": "0"}, 422),
    "less than nothing": ({"amount": "-5"}, 422),
    "a fraction": ({"amount": "1.5"}, 422),
    "a JSON number": ({"amount": 5}, 422),
    "no hash": ({"tx_hash": "0x12"}, 422),
    "a wallet in the body": ({"wallet": A}, 422),
}


@pytest.mark.parametrize(("change", "status"), BAD_GIFTS.values(), ids=BAD_GIFTS)
def test_bad_input_is_refused(
    shop: Running, web: requests.Session, change: dict[str, Any], status: int
) -> None:
    enter(web, shop, D, "192.0.2.13")
    gift = {**MONEY, "tx_hash": HASH.replace("9", "8"), **change}

    assert web.post(f"{shop.url}/donations", json=gift).status_code == status


def test_the_wallet_comes_from_the_session_alone(shop: Running, web: requests.Session) -> None:
    web.headers.update(
        {"X-Wallet": A, "X-Soc-Subject": f"wallet:{A}", "Authorization": "Bearer no"}
    )

    assert web.post(f"{shop.url}/chain/donate", json=MONEY).status_code == 401
    assert web.get(f"{shop.url}/donations").status_code == 401


def test_a_forwarded_address_that_is_none_is_not_believed(
    shop: Running, web: requests.Session
) -> None:
    web.headers["X-Forwarded-For"] = "192.0.2.99, example.org"

    web.get(f"{shop.url}/projects/none-such")

    line = shop.access_to("/projects/none-such")
    assert (line["ip"], line["status"]) == ("127.0.0.1", 404)


def test_staff_log_in_and_failures_are_told(shop: Running, web: requests.Session) -> None:
    web.headers["X-Forwarded-For"] = "192.0.2.14"
    statuses = [
        web.post(f"{shop.url}/admin/login", json={"name": name, "password": password}).status_code
        for name, password in [("ines", "wrong"), ("nobody", "right"), ("ines", "right")]
    ]

    def is_it(event: dict[str, Any]) -> bool:
        return bool(event["event"]["dataset"] == "platform.auth")

    events = shop.suite.wait_until_seen(is_it, 3)
    assert statuses == [401, 401, 200]
    assert [(each["user"], each["event"]["outcome"]) for each in events] == [
        ({"name": "ines", "roles": ["admin"]}, "failure"),
        ({"name": "nobody", "roles": []}, "failure"),
        ({"name": "ines", "roles": ["admin"]}, "success"),
    ]


@pytest.mark.parametrize("path", ["accounts", "rounds", "projects", "rounds/r1/close", "indexer"])
def test_only_the_operator_operates(shop: Running, web: requests.Session, path: str) -> None:
    enter(web, shop, D, "192.0.2.15")

    assert web.post(f"{shop.url}/admin/{path}", json={}).status_code == 401


def test_the_edge_holds_back_before_anything_is_written(
    shop: Running, web: requests.Session
) -> None:
    enter(web, shop, E, "192.0.2.16")
    shop.suite.enforce(
        rule(f"wallet:{E}", "rate_limit", rate=1, burst=1, effect="eff-limit"),
        rule(f"wallet:{F}", "quarantine", effect="eff-shut"),
    )

    limited = [web.post(f"{shop.url}/chain/donate", json=MONEY) for _ in range(3)]
    web.headers.pop("Authorization")
    enter(web, shop, F, "192.0.2.17")
    shut = web.post(f"{shop.url}/chain/donate", json=MONEY)
    shop.suite.enforce()
    after = web.post(f"{shop.url}/chain/transfer", json={"to": A, "amount": "1"})

    assert [each.status_code for each in limited] == [202, 429, 429]
    assert limited[1].headers["X-Soc-Effect"] == "eff-limit"
    assert 1 <= int(limited[1].headers["Retry-After"]) <= 60
    assert (shut.status_code, shut.json()["effect"]) == (403, "eff-shut")
    assert after.status_code == 202
    assert len(shop.suite.wait_until_seen(about(E, "chain.donation"))) == 1
    lines = [
        (each["wallet"], each["status"], each["effect"])
        for each in shop.access()
        if each["path"] == "/chain/donate" and each["wallet"] in {E, F}
    ]
    assert lines == [
        (E, 202, None),
        (E, 429, "eff-limit"),
        (E, 429, "eff-limit"),
        (F, 403, "eff-shut"),
    ]


def test_an_address_can_be_held_back_from_reading_too(shop: Running, web: requests.Session) -> None:
    web.headers["X-Forwarded-For"] = "198.51.100.7"
    shop.suite.enforce(rule("ip:198.51.100.0/28", "quarantine", effect="eff-net"))

    inside = web.get(f"{shop.url}/projects").status_code
    web.headers["X-Forwarded-For"] = "198.51.100.70"
    outside = web.get(f"{shop.url}/projects").status_code
    shop.suite.enforce()

    assert (inside, outside) == (403, 200)


def test_a_slow_indexer_says_so_and_catches_up(shop: Running, web: requests.Session) -> None:
    web.headers.update(shop.operator)
    web.post(f"{shop.url}/admin/indexer", json={"delay_seconds": 1.5}).raise_for_status()

    def is_late(event: dict[str, Any]) -> bool:
        lag = event.get("indexer", {}).get("lag", {})
        return bool(lag.get("seconds", 0) > 1 and lag["blocks"] >= 2)

    late = shop.suite.wait_until_seen(is_late)[0]
    web.post(f"{shop.url}/admin/indexer", json={"delay_seconds": 0}).raise_for_status()

    def is_back(event: dict[str, Any]) -> bool:
        facts = event.get("indexer", {})
        return bool(
            facts.get("head", 0) > late["indexer"]["head"] and facts["lag"]["seconds"] < 0.5
        )

    shop.suite.wait_until_seen(is_back)


def test_every_event_keeps_to_the_published_format(
    shop: Running, validator: Draft202012Validator
) -> None:
    shop.suite.wait_until_seen(lambda event: event["event"]["dataset"] == "indexer.status")

    events = list(shop.suite.events)

    assert [error.message for each in events for error in validator.iter_errors(each)] == []
    assert len({each["event"]["id"] for each in events}) == len(events)
    assert {"platform", "chain", "indexer"} >= set(shop.suite.indices)
    assert shop.suite.bulk_tokens == {"Bearer ingest-token"}
    assert {each["event"]["action"] for each in shop.suite.seen("funding.round")} == {
        "round-opened",
        "round-closed",
    }
    assert shop.suite.seen("funding.project")[0]["funding"]["project"]["owner"] == D


def test_health_tells_how_fresh_the_rules_are(shop: Running, web: requests.Session) -> None:
    shop.suite.enforce()

    health = web.get(f"{shop.url}/health").json()

    assert health["edge"]["version"] == shop.suite.version
    assert health["edge"]["age_seconds"] < 30
    assert health["outbox"]["refused"] == 0
