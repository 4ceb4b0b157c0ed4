"""Wallets of one root that give to one project are found; strangers who share a hub are not."""

import random
from collections.abc import Callable
from datetime import datetime
from time import process_time
from typing import Any

import pyarrow as pa
import pytest

from soc.detect.ancestry import HUB_LEAST, Ancestry
from soc.detect.funder import CommonFunder, clusters_of
from soc.detect.money import MOST_FUNDERS, Gifts, Graph, Payment
from soc.model.event import SCHEMA, Batch, Row, to_table
from soc.model.finding import Finding
from soc.settings import Detect
from soc.simulate import Role, plan

Make = Callable[..., Batch]
DETECTOR = CommonFunder(Detect())


def transfer(sender: str, receiver: str, at: int = 0, amount: int | None = None) -> dict[str, Any]:
    row = {"dataset": "chain.transfer", "wallet": sender, "counterparty": receiver, "at": at}
    return row | ({} if amount is None else {"amount": str(amount)})


def gift(
    wallet: str, project: str = "p1", at: int = 10, amount: int | None = None
) -> dict[str, Any]:
    row = {"dataset": "chain.donation", "wallet": wallet, "project": project, "at": at}
    return row | ({} if amount is None else {"amount": str(amount)})


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
    "money that all pay back": ([*cluster(10), *[transfer(f"m{n}", "root") for n in range(10)]], True),
    "twenty-five funded directly among a hundred others": ([*cluster(25, middlemen=False), *[gift(f"h{n}", f"p{n % 9}") for n in range(100)]], True),
    "dust after the first gift": ([row for n in range(12) for row in (transfer(f"bank{n}", f"w{n}"), gift(f"w{n}"), transfer("duster", f"w{n}", at=20))], False),
    "dust before the first gift": ([row for n in range(12) for row in (transfer(f"bank{n}", f"w{n}", 0, 100), transfer("duster", f"w{n}", 5, 9), gift(f"w{n}", amount=100))], False),
    "dust to those who fund": ([row for n in range(12) for row in (transfer("duster", f"bank{n}", 0, 1), transfer(f"bank{n}", f"w{n}", 5, 100), gift(f"w{n}", amount=100))], False),
    "nothing sent": ([row for n in range(12) for row in (transfer("duster", f"w{n}", 0, 0), gift(f"w{n}"))], False),
    "a tenth of what is given": ([row for n in range(12) for row in (transfer("root", f"w{n}", 5, 10), gift(f"w{n}", amount=100))], True),
    "money in eleven parts": (
        [row for n in range(12) for row in (*[row for k in range(11) for row in (transfer("root", f"m{n}-{k}", 0, 9), transfer(f"m{n}-{k}", f"w{n}", 5, 9))], gift(f"w{n}", amount=100))],
        True,
    ),
    "money at the moment of the gift": ([row for n in range(12) for row in (transfer("root", f"w{n}", 10), gift(f"w{n}"))], True),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "found"), CASES.values(), ids=CASES)
def test_what_is_a_cluster(
    rows: list[dict[str, Any]], found: bool, batch: Make, noon: datetime
) -> None:
    assert (last(rows, batch, noon) is not None) is found


def test_a_hub_connects_nobody(batch: Make, noon: datetime) -> None:
    """An exchange that funds many donors of many projects is the root of none of them."""
    rows = [transfer("exchange", "root"), *cluster(12)]
    rows += [
        row
        for n in range(HUB_LEAST + 1)
        for row in (transfer("exchange", f"h{n}"), gift(f"h{n}", f"p{n % 4}"))
    ]

    (found,) = DETECTOR.observe(batch(rows), Graph(), noon).findings

    assert str(found.entity) == "wallet:root"
    assert not any(str(entity).startswith("wallet:h") for entity in found.entities)


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
    spread = {f"w{n}": {f"p{n % 3}": 1} for n in range(100)}
    gifts = {name: Gifts(projects=to, first=noon, last=noon) for name, to in spread.items()}
    funders = {f"w{n}": (Payment("hub" if n < 30 else f"m{n}", 0, 5),) for n in range(100)}
    funders |= {f"m{n}": (Payment("root", 0, 5),) for n in range(100)}

    ancestry = Ancestry(Graph(funders=funders, gifts=gifts))

    assert ancestry.hubs == {"hub"}
    assert ancestry.above("w0") == {}
    assert ancestry.above("w50") == {"m50": 1, "root": 2}


def test_one_wallet_that_nobody_named_yet_is_told(batch: Make, noon: datetime) -> None:
    """However many of the others turned out to be strangers meanwhile."""
    state = DETECTOR.observe(batch(cluster(12)), Graph(), noon).state
    early = [gift(f"w{n}", at=-10) for n in range(2)]
    joined = [transfer("root", "m99"), transfer("m99", "w99"), gift("w99")]

    (found,) = DETECTOR.observe(batch([*early, *joined], 99), state, noon).findings

    named = {str(entity) for entity in found.entities}
    assert "wallet:w99" in named
    assert "wallet:w0" not in named


@pytest.mark.parametrize("seed", range(5))
def test_dust_and_late_events_end_in_one_answer(seed: int, batch: Make, noon: datetime) -> None:
    rows = CASES["dust before the first gift"][0] + [
        row
        for n in range(15)
        for row in (transfer("root", f"s{n}", 1, 50), gift(f"s{n}", at=9, amount=60))
    ]
    random.Random(seed).shuffle(rows)

    state = Graph()
    for n in range(0, len(rows), 7):
        window = batch([dict(row) for row in rows[n : n + 7]], n + 1)
        state = DETECTOR.observe(window, state, noon).state

    whole = DETECTOR.observe(batch([dict(row) for row in rows]), Graph(), noon).state
    assert clusters_of(state) == clusters_of(whole)
    assert list(clusters_of(state)) == ["root"]


def test_dust_of_very_many_pushes_no_funder_out(batch: Make, noon: datetime) -> None:
    rows = [
        row
        for n in range(10)
        for row in (transfer("root", f"w{n}", 0, 50), gift(f"w{n}", amount=60))
    ]
    dust = [transfer(f"0{k}", "w0", 0, 1) for k in range(3 * MOST_FUNDERS)]

    observed = DETECTOR.observe(batch([*dust, *rows]), Graph(), noon)

    assert len(observed.findings) == 1
    assert len(observed.state.funders["w0"]) == MOST_FUNDERS
    assert observed.state.left_out == 2 * MOST_FUNDERS + 1


def test_a_transfer_that_the_chain_took_back_funds_nothing(noon: datetime) -> None:
    raw = '{"chain":{"finality":"removed"}}'
    gone = [
        Row(noon, raw, "ecs", dataset="chain.transfer", wallet="root", counterparty=f"w{n}")
        for n in range(10)
    ]
    gifts = [
        Row(noon, "{}", "ecs", dataset="chain.donation", wallet=f"w{n}", project="p1")
        for n in range(10)
    ]
    table = to_table([*gone, *gifts], "src", noon, ["default"] * 20)
    numbers = pa.array(range(1, 21), pa.int64())
    window = Batch(table.set_column(0, SCHEMA.field("seq"), numbers), 20)

    assert DETECTOR.observe(window, Graph(), noon).findings == ()


def test_very_many_senders_cost_little(batch: Make, noon: datetime) -> None:
    rows = [transfer(f"0x{n}", "exchange", amount=5) for n in range(20_000)]
    rows += [transfer("exchange", f"m{n}", amount=5) for n in range(300)]
    rows += [row for n in range(300) for row in (transfer(f"m{n}", f"d{n}"), gift(f"d{n}"))]
    window = batch(rows)

    started = process_time()
    state = DETECTOR.observe(window, Graph(), noon).state

    assert process_time() - started < 2
    assert len(state.model_dump_json()) < 200_000


@pytest.mark.parametrize("seed", range(1, 9))
def test_of_a_simulated_round_the_sybils_are_named_and_nobody_else(
    seed: int, batch: Make, noon: datetime
) -> None:
    day = 86_400
    this = plan(seed)
    rows = [
        transfer(one.sender, one.receiver, int(one.at * day), one.amount) for one in this.transfers
    ] + [gift(one.wallet, one.project, int(one.at * day), one.amount) for one in this.gifts]
    rows.sort(key=lambda row: row["at"])
    state, named, roots = Graph(), set[str](), set[str]()
    for begin in range(0, len(rows), 25):
        window = batch(rows[begin : begin + 25], begin + 1)
        observed = DETECTOR.observe(window, state, noon)
        state = Graph.model_validate_json(observed.state.model_dump_json())
        named |= {one.value for found in observed.findings for one in found.entities}
        roots |= {found.entity.value for found in observed.findings}

    sybils = set(this.addresses(Role.SYBIL))
    assert len(named & sybils) >= 0.95 * len(sybils)
    assert named & set(this.honest) == set()
    assert roots == set(this.addresses(Role.ROOT))
