"""The platform shows what the suite says, once it says it, and never waits for it for long."""

from collections.abc import Callable

import pytest
import requests

from soc.demo.platform.arrange import arranged, clusters
from soc.demo.platform.store import Donation, Project
from soc.demo.platform.variants import DEFAULT, RECOMMENDED, SAME_CLUSTER, Variants
from tests.demo.conftest import Running
from tests.demo.suite import Suite

PROJECTS = [Project(id=f"p{n}", round="r", name=f"P{n}", owner="0x0") for n in range(8)]


def gifts(*pairs: str, amount: str = "10") -> list[Donation]:
    """Return donations from words such as ``a:p1``."""
    return [
        Donation(tx_hash=pair, wallet=wallet, round="r", project=project, amount=amount)
        for pair in pairs
        for wallet, _, project in [pair.partition(":")]
    ]


def test_recommended_projects_are_those_of_who_gives_alike() -> None:
    given = gifts("me:p1", "a:p1", "a:p6", "b:p1", "b:p6", "b:p4", "c:p2", "c:p3")

    shown = [each.id for each in arranged(PROJECTS, RECOMMENDED, given, "me")]

    assert shown[:2] == ["p6", "p4"]
    assert shown[2:] == ["p0", "p1", "p2", "p3", "p5", "p7"]


def test_the_same_cluster_is_of_wallets_that_give_as_much() -> None:
    small = gifts("me:p0", "a:p5", "b:p5", "b:p7")
    large = gifts("c:p1", "d:p1", "e:p2", amount="1000000")

    shown = [each.id for each in arranged(PROJECTS, SAME_CLUSTER, [*small, *large], "me")]

    assert shown[:3] == ["p5", "p7", "p0"]


@pytest.mark.parametrize("arm", [DEFAULT, RECOMMENDED, SAME_CLUSTER, "something new"])
def test_who_never_gave_sees_every_project_as_it_was_registered(arm: str) -> None:
    assert arranged(PROJECTS, arm, gifts("a:p5"), "me") == PROJECTS


def test_clusters_part_what_lies_apart() -> None:
    found = clusters({"a": 1.0, "b": 1.1, "c": 5.0, "d": 5.2, "e": 9.0, "f": 9.1})

    assert [found[name] for name in "abcdef"] == [0, 0, 1, 1, 2, 2]


def test_a_wallet_is_asked_for_once_while_the_experiment_runs(suite: Suite) -> None:
    variants = Variants(suite.url, "edge-token")
    suite.arms = {"0xa": RECOMMENDED}

    assert [variants.of("0xa") for _ in range(3)] == [RECOMMENDED] * 3
    assert suite.asked == ["0xa"]


def test_without_an_answer_everybody_sees_the_default_and_nobody_asks_for_a_while() -> None:
    away = Suite()
    away.close()
    variants = Variants(away.url, "edge-token")

    assert [variants.of("0xa") for _ in range(3)] == [DEFAULT] * 3


def test_the_page_of_projects_is_in_the_order_of_the_variant(
    start: Callable[..., Running], web: requests.Session, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shop = start(tmp_path_factory.mktemp("home"))
    moments = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-15T00:00:00Z"}
    this = {"id": "r1", "name": "One", "pool": "1000", **moments}
    web.post(f"{shop.url}/admin/rounds", json=this, headers=shop.operator).raise_for_status()
    me, other = f"0x{'1' * 40}", f"0x{'2' * 40}"
    for name in ("p1", "p2", "p3"):
        about = {"id": name, "round": "r1", "name": name, "owner": other}
        web.post(f"{shop.url}/admin/projects", json=about, headers=shop.operator)
    shop.suite.arms = {me: RECOMMENDED}
    tokens = {}
    for number, (wallet, project) in enumerate([(other, "p3"), (other, "p1"), (me, "p1")]):
        opened = web.post(f"{shop.url}/session", json={"wallet": wallet}).json()
        tokens[wallet] = {"Authorization": f"Bearer {opened['token']}"}
        gift = {"round": "r1", "project": project, "amount": "5", "tx_hash": f"0x{number:064x}"}
        web.post(f"{shop.url}/donations", json=gift, headers=tokens[wallet]).raise_for_status()

    def shown(**headers: object) -> list[str]:
        return [each["id"] for each in web.get(f"{shop.url}/projects", **headers).json()]

    assert shown() == ["p1", "p2", "p3"]
    assert shown(headers=tokens[other]) == ["p1", "p2", "p3"]
    assert shown(headers=tokens[me]) == ["p3", "p1", "p2"]
