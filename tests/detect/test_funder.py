"""Wallets of one root that give to one project are found; strangers who share a hub are not."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from soc.detect.ancestry import HUB_LEAST, Ancestry
from soc.detect.funder import CommonFunder
from soc.detect.money import Gifts, Graph, Payment
from soc.model.event import Batch
from soc.model.finding import Finding
from soc.settings import Detect

Make = Callable[..., Batch]
DETECTOR = CommonFunder(Detect())


def transfer(sender: str, receiver: str, at: int = 0) -> dict[str, Any]:
    return {"dataset": "chain.transfer", "wallet": sender, "counterparty": receiver, "at": at}


def gift(wallet: str, project: str = "p1", at: int = 10) -> dict[str, Any]:
    return {"dataset": "chain.donation", "wallet": wallet, "project": project, "at": at}


def cluster(wallets: int, *, middlemen: bool = True, project: str = "p1") -> list[dict[str, Any]]:
    rows = []
    for n in range(wallets):
        between = f"m{n}" if middlemen else "root"
        rows += [transfer("root", f"m{n}")] if middlemen else []
        rows += [transfer(between, f"w{n}"), gift(f"w{n}", project)]
    return rows


def findings(rows: list[dict[str, Any]], make: Make, noon: datetime) -> list[Finding]:
    state, found = Graph(), []
    for n, row in enumerate(rows):
        observed = DETECTOR.observe(make([dict(row)], n + 1), state, noon)
        state, found = observed.state, [*found, *observed.findings]
    return found


def last(rows: list[dict[str, Any]], make: Make, noon: datetime) -> Finding | None:
    found = DETECTOR.observe(make([dict(row) for row in rows]), Graph(), noon).findings
    return found[-1] if found else None


def test_ten_wallets_of_one_root_are_found_through_middlemen(batch: Make, noon: datetime) -> None:
    found = last(cluster(10), batch, noon)

    assert found is not None
    assert str(found.entity) == "wallet:root"
    assert {str(e) for e in found.entities} == {"wallet:root", *(f"wallet:w{n}" for n in range(10))}


CASES = {
    "nine wallets": (cluster(9), False),
    "ten wallets funded directly": (cluster(10, middlemen=False), True),
    "gifts all over": ([row for n in range(20) for row in (transfer("root", f"w{n}"), gift(f"w{n}", f"p{n % 3}"))], False),
    "one gift in five elsewhere": ([*cluster(12), *[gift(f"w{n}", "p2") for n in range(3)]], True),
    "one in four elsewhere": ([*cluster(12), *[gift(f"w{n}", "p2") for n in range(4)]], False),
    "wallets that never gave": ([transfer("root", f"w{n}") for n in range(50)], False),
    "a chain too long to follow": (
        [row for n in range(12) for row in (*[transfer(f"c{k}", f"c{k + 1}") for k in range(9)], transfer("c9", f"w{n}"), gift(f"w{n}"))],
        True,
    ),
    "money in a circle": ([*cluster(10), transfer("w0", "root")], True),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "found"), CASES.values(), ids=CASES)
def test_what_is_a_cluster(
    rows: list[dict[str, Any]], found: bool, batch: Make, noon: datetime
) -> None:
    assert (last(rows, batch, noon) is not None) is found


def test_a_hub_connects_nobody(batch: Make, noon: datetime) -> None:
    """An exchange that funds many donors is not their root, whatever they give to."""
    rows = [
        row for n in range(HUB_LEAST + 1) for row in (transfer("exchange", f"w{n}"), gift(f"w{n}"))
    ]

    found = DETECTOR.observe(batch(rows), Graph(), noon)

    assert found.findings == ()


def test_a_root_is_found_though_an_exchange_funds_its_wallets_too(
    batch: Make, noon: datetime
) -> None:
    honest = [
        row
        for n in range(60)
        for row in (transfer("exchange", f"h{n}"), gift(f"h{n}", f"p{n % 9}"))
    ]
    also = [transfer("exchange", f"w{n}") for n in range(0, 12, 3)]

    found = last([*honest, *also, *cluster(12)], batch, noon)

    assert found is not None
    assert str(found.entity) == "wallet:root"
    assert not any(str(entity).startswith("wallet:h") for entity in found.entities)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_events_does_not_matter_to_who_is_named_in_the_end(
    seed: int, batch: Make, noon: datetime
) -> None:
    rows = cluster(14)
    random.Random(seed).shuffle(rows)

    found = findings(rows, batch, noon)

    assert {str(e) for e in found[-1].entities} >= {f"wallet:w{n}" for n in range(14)}


def test_a_cluster_that_does_not_grow_is_told_once(batch: Make, noon: datetime) -> None:
    state = DETECTOR.observe(batch(cluster(10)), Graph(), noon).state

    again = DETECTOR.observe(batch([gift("w3", at=20)], 99), state, noon)

    assert again.findings == ()


def test_hubs_and_roots_of_a_small_graph(noon: datetime) -> None:
    gifts = {f"w{n}": Gifts(first=noon, last=noon) for n in range(100)}
    funders = {f"w{n}": ("hub",) if n < 30 else (f"m{n}",) for n in range(100)}
    funders |= {f"m{n}": ("root",) for n in range(100)}

    hubs = hubs_of(funders, gifts)

    assert hubs == {"hub"}
    assert roots_of("w0", funders, hubs) == frozenset()
    assert roots_of("w50", funders, hubs) == {"root"}
