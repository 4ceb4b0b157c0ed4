"""A platform asks which arm a wallet gets, and is counted once; readers see, and change nothing."""

import pytest
from starlette.testclient import TestClient

from soc.app import experiments
from soc.app.suite import Suite
from soc.intelligence.experiments import book
from soc.intelligence.experiments.design import Design
from soc.store.session import session
from tests.conftest import NOON
from tests.web.story import WALLET

Headers = dict[str, dict[str, str]]
PATH = "/api/v1/experiments/page"
ARMS = {"default": 1, "recommended": 1, "same-cluster": 1}


@pytest.fixture
def page(suite: Suite) -> str:
    """The path of an experiment that was planned."""
    design = Design(
        name="page", title="t", owner="role:funding", arms=ARMS, metric="conversion", units=90
    )
    experiments.create(suite, design, "user:ann")
    return PATH


def test_a_unit_gets_its_arm_and_is_exposed_once(
    client: TestClient, suite: Suite, tokens: Headers, page: str
) -> None:
    def ask(unit: str = WALLET, **more: str) -> dict[str, object]:
        answer = client.get(
            f"{page}/assignment", params={"unit": unit, **more}, headers=tokens["authz"]
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    draft = ask()
    with session(suite.database) as writing:
        book.start(writing, "page", "go", "user:ann", NOON)
    first, again, upper = ask(), ask(), ask(f"0x{WALLET[2:].upper()}")
    others = [ask(f"0x{n:040x}") for n in range(20)]
    with session(suite.database) as writing:
        book.stop(writing, "page", "done", "user:ann", NOON)
    stopped = ask("0x" + "ab" * 20)

    assert (draft["arm"], draft["state"], draft["recorded"]) == ("default", "draft", False)
    assert [one["recorded"] for one in (first, again, upper)] == [True, False, False]
    assert first["arm"] == again["arm"] == upper["arm"]
    assert {one["arm"] for one in others} == {*ARMS}
    assert (stopped["arm"], stopped["state"], stopped["recorded"]) == ("default", "stopped", False)
    told = client.get(page, headers=tokens["read"]).json()
    assert sum(told["standing"]["exposed"].values()) == 21
    assert "salt" not in str(told)


def test_readers_preview_and_nothing_is_kept(
    client: TestClient, suite: Suite, tokens: Headers, page: str
) -> None:
    with session(suite.database) as writing:
        book.start(writing, "page", "go", "user:ann", NOON)
    asked = {"unit": WALLET}

    shown = client.get(
        f"{page}/assignment", params={**asked, "preview": "1"}, headers=tokens["read"]
    )
    kept = client.get(f"{page}/assignment", params=asked, headers=tokens["read"])
    real = client.get(f"{page}/assignment", params=asked, headers=tokens["authz"])

    assert (shown.status_code, kept.status_code) == (200, 403)
    assert "lacks the permission authz" in kept.text
    assert (shown.json()["arm"], shown.json()["recorded"]) == (real.json()["arm"], False)
    assert real.json()["recorded"] is True
    assert client.get(page, headers=tokens["authz"]).status_code == 403


def test_what_there_is_not_is_said(client: TestClient, tokens: Headers, page: str) -> None:
    def status(path: str, scope: str = "authz", **asked: str) -> int:
        return client.get(path, params=asked, headers=tokens[scope]).status_code

    assert status(f"{page}/assignment", unit="0x12") == 400
    assert status(f"{page}/assignment") == 422
    assert status("/api/v1/experiments/none/assignment", unit=WALLET) == 404
    assert status("/api/v1/experiments/none", "read") == 404
    listed = client.get("/api/v1/experiments", headers=tokens["read"]).json()["items"]
    assert [(one["name"], one["state"], one["taken"]) for one in listed] == [("page", "draft", [])]
