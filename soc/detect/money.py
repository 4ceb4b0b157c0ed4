"""Who paid whom and who gave what, as far as it is remembered.

What is kept does not depend on the order in which events arrive. Of a wallet with very many funders
those are kept that sent most at once, so dust pushes nobody out.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from heapq import nlargest
from typing import NamedTuple

from soc.detect.chain import is_removed
from soc.model.event import Batch
from soc.model.value import Utc, Value, bounded, micros, whole

TRANSFER = "chain.transfer"
DONATION = "chain.donation"
UNKNOWN = -1
MOST_FUNDERS = 64
MOST_PAYMENTS = 16
MOST_PROJECTS = 200
MOST_WALLETS = 50_000
"""Wallets that were funded, and wallets that gave; of more, those go that did so longest ago."""
TRIMMED = 0.9
Name = str
"""A wallet's address in its one spelling."""


class Payment(NamedTuple):
    """Money that came: from whom, when, in microseconds since 1970, and how much.

    amount: UNKNOWN if nobody says.
    """

    sender: Name
    at: int
    amount: int


class Gifts(Value):
    """What one wallet gave: how often to each project, how much, its first and last event."""

    projects: Mapping[str, int] = {}
    amount: int = 0
    first: Utc
    last: Utc
    seqs: tuple[int, ...] = ()


class Graph(Value):
    """Payments by receiver, gifts by wallet, and whom each root's finding named.

    left_out: funders, payments and wallets that were forgotten since there were too many.
    """

    funders: Mapping[Name, tuple[Payment, ...]] = {}
    gifts: Mapping[Name, Gifts] = {}
    reported: Mapping[Name, tuple[Name, ...]] = {}
    left_out: int = 0


def grow(state: Graph, batch: Batch) -> Graph:
    """Return *state* with what *batch* tells; the same one if that is nothing."""
    paid: dict[Name, list[Payment]] = {}
    given: dict[Name, Gifts] = {}
    names = ("dataset", "wallet", "counterparty", "project", "amount", "seq", "raw")
    moved = batch.only("dataset", (TRANSFER, DONATION)).having("wallet")
    for ts, dataset, by, to, project, amount, seq, raw in zip(
        moved.moments, *map(moved.column, names), strict=True
    ):
        if not by or is_removed(raw):
            continue
        wallet, how_much = bounded(by, fold=True), whole(amount)
        if dataset == DONATION and project:
            old = given.get(wallet) or state.gifts.get(wallet)
            given[wallet] = _given(old, project, how_much or 0, ts, seq)
        elif (
            dataset == TRANSFER
            and to
            and how_much != 0
            and (receiver := bounded(to, fold=True)) != wallet
        ):
            payment = Payment(wallet, micros(ts), UNKNOWN if how_much is None else how_much)
            paid.setdefault(receiver, list(state.funders.get(receiver, ()))).append(payment)
    if not paid and not given:
        return state
    funders = {receiver: _largest(payments) for receiver, payments in paid.items()}
    dropped = sum(len(paid[receiver]) - len(funders[receiver]) for receiver in paid)
    return _trimmed(state, funders, given, state.left_out + dropped)


def _given(old: Gifts | None, project: str, amount: int, ts: datetime, seq: int) -> Gifts:
    old = old or Gifts(first=ts, last=ts)
    name = bounded(project)
    if name not in old.projects and len(old.projects) >= MOST_PROJECTS:
        name = ""
    return Gifts(
        projects={**old.projects, name: old.projects.get(name, 0) + 1},
        amount=old.amount + amount,
        first=min(old.first, ts),
        last=max(old.last, ts),
        seqs=(*old.seqs, seq)[:3],
    )


def _largest(payments: Iterable[Payment]) -> tuple[Payment, ...]:
    """Return the largest payments of each sender, of the senders who sent most at once."""
    by_sender: dict[Name, list[Payment]] = {}
    for one in sorted(payments, key=lambda one: (-one.amount, one.sender, one.at)):
        by_sender.setdefault(one.sender, []).append(one)
    senders = list(by_sender)[:MOST_FUNDERS]
    return tuple(one for name in sorted(senders) for one in by_sender[name][:MOST_PAYMENTS])


def _trimmed(
    state: Graph,
    paid: Mapping[Name, tuple[Payment, ...]],
    given: Mapping[Name, Gifts],
    left_out: int,
) -> Graph:
    funders, gifts = {**state.funders, **paid}, {**state.gifts, **given}
    before = len(funders) + len(gifts)
    if len(gifts) > MOST_WALLETS:
        newest = _newest((gifts[name].last, name) for name in gifts)
        gifts = {name: gift for name, gift in gifts.items() if name in newest}
    if len(funders) > MOST_WALLETS:
        newest = _newest(
            (max(one.at for one in payments), name) for name, payments in funders.items()
        )
        funders = {name: who for name, who in funders.items() if name in newest or name in gifts}
    left_out += before - len(funders) - len(gifts)
    # All of it is made of checked values: to check them all again in each window would take long.
    return state.model_copy(update={"funders": funders, "gifts": gifts, "left_out": left_out})


def _newest(dated: Iterable[tuple[datetime | int, Name]]) -> set[Name]:
    return {name for _, name in nlargest(int(MOST_WALLETS * TRIMMED), dated)}
