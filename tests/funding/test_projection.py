"""What the chain says counts, and no event breaks the view of rounds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlmodel import Session, select

from soc.funding import projection
from soc.model.event import Batch, Row, to_table
from soc.store.session import Database, session
from soc.store.tables import Donation

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROUND = {"event": {"dataset": "funding.round"}, "funding": {"round": {"id": "r", "pool": "9"}}}
HUGE = "9" * 5000


@pytest.fixture
def store(database: Database) -> Iterator[Session]:
    with session(database) as writing:
        yield writing


def gift(
    dataset: str, wallet: str = "0xa", amount: Any = "5", tx: Any = "0x1", **chain: Any
) -> dict[str, Any]:
    return {
        "event": {"dataset": dataset},
        "wallet": {"address": wallet},
        "chain": {"tx": {"hash": tx}, **chain},
        "funding": {
            "round": {"id": "r"},
            "project": {"id": "p" if dataset.startswith("chain") else "q"},
            "amount": {"raw": amount},
        },
    }


def announced(**fields: Any) -> dict[str, Any]:
    return gift("funding.donation", **fields)


def on_chain(**fields: Any) -> dict[str, Any]:
    return gift("chain.donation", **fields)


def removed(**fields: Any) -> dict[str, Any]:
    return on_chain(finality="removed", **fields)


def show(store: Session, *documents: dict[str, Any]) -> dict[str, Any]:
    """Return the round after *documents*."""
    rows = [
        Row(
            NOON + timedelta(seconds=n),
            orjson.dumps(document).decode(),
            "ecs",
            dataset=document["event"]["dataset"],
        )
        for n, document in enumerate([ROUND, *documents])
    ]
    projection.project(
        store, Batch(to_table(rows, "src", NOON, ["default"] * len(rows)), len(rows))
    )
    return projection.rounds(store)[0]


@pytest.mark.parametrize("order", [1, -1], ids=["announced first", "on chain first"])
def test_the_chain_overrides_what_was_announced(store: Session, order: int) -> None:
    told = [announced(wallet="0xthief", amount="999999999"), on_chain(wallet="0xA")][::order]

    shown = show(store, *told)

    row = store.get(Donation, "0x1")
    assert row is not None
    assert (row.wallet, row.amount, row.project) == ("0xa", "5", "p")
    assert row.announced is not None
    assert (shown["gifts"], shown["on_chain"], shown["amount"]) == (1, 1, "5")


TAKEN = {
    "after it was announced": ([announced(), on_chain(), removed()], (1, 0, "0")),
    "without an announcement": ([on_chain(), removed()], (0, 0, "0")),
    "twice": ([announced(), on_chain(), removed(), removed()], (1, 0, "0")),
    "before it was seen": ([removed()], (0, 0, "0")),
    "and found again": ([announced(), on_chain(), removed(), on_chain()], (1, 1, "5")),
    "by who names no amount": ([on_chain(), removed(amount=None)], (0, 0, "0")),
}


@pytest.mark.parametrize(("told", "left"), TAKEN.values(), ids=TAKEN)
def test_a_gift_is_taken_back(store: Session, told: list[Any], left: tuple[Any, ...]) -> None:
    shown = show(store, *told)

    assert (shown["gifts"], shown["on_chain"], shown["amount"]) == left


BROKEN: dict[str, list[dict[str, Any]]] = {
    "an amount of very many digits": [announced(amount=HUGE), on_chain(amount=HUGE)],
    "an amount with a fraction": [on_chain(amount=1.5)],
    "an amount that is a list": [on_chain(amount=["5"])],
    "no amount": [on_chain(amount=None)],
    "a transaction that is an object": [on_chain(tx={"a": 1})],
    "a round that is a list": [{"event": {"dataset": "funding.round"}, "funding": {"round": []}}],
    "a project without id": [{"event": {"dataset": "funding.project"}, "funding": "x"}],
    "a funding that is text": [{"event": {"dataset": "chain.donation"}, "funding": "x"}],
    "a pool that is no number": [
        {"event": {"dataset": "funding.round"}, "funding": {"round": {"id": "r", "pool": HUGE}}}
    ],
}


@pytest.mark.parametrize("told", BROKEN.values(), ids=BROKEN)
def test_a_broken_event_changes_nothing(store: Session, told: list[dict[str, Any]]) -> None:
    shown = show(store, on_chain(tx="0x2"), *told)

    assert (shown["gifts"], shown["amount"], shown["pool"]) == (1, "5", "9")
    assert projection.whole_round(store, "r") is not None


def test_an_amount_that_was_stored_before_is_left_out_if_it_is_no_number(store: Session) -> None:
    store.add(
        Donation(tx_hash="0x9", round="r", project="p", wallet="0xa", amount=HUGE, on_chain=NOON)
    )

    assert show(store, on_chain())["amount"] == "5"


def test_fields_may_be_dotted(store: Session) -> None:
    flat = {
        "event": {"dataset": "chain.donation"},
        "wallet.address": "0xa",
        "chain.tx": {"hash": "0x1"},
        "funding": {"round.id": "r", "project.id": "p", "amount.raw": "7"},
    }

    assert show(store, flat)["amount"] == "7"


def test_text_is_fit_for_a_store(store: Session) -> None:
    shown = show(store, on_chain(tx="0x\x00" + "f" * 9000))

    (row,) = store.exec(select(Donation)).all()
    assert shown["gifts"] == 1
    assert "\x00" not in row.tx_hash
    assert len(row.tx_hash) <= 256
