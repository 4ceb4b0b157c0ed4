"""Suggest projects to one donor, each with its reason."""

import re
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from soc.errors import Refused, Unfit
from soc.intelligence.carts import Carts, carts
from soc.intelligence.recommend.neighbours import Known, index_of, known
from soc.intelligence.view.keep import View
from soc.model.value import micros

ADDRESS = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One project. votes: of the nearest donors, how many gave to it. donors: of all, how many."""

    project: str
    votes: int
    nearest: int
    donors: int
    reason: str


@dataclass(frozen=True, slots=True)
class Suggested:
    """What is suggested to a wallet. given: its projects. basis: what the suggestions rest on.

    left_out: suspected wallets that had no vote.
    """

    wallet: str
    given: tuple[str, ...]
    basis: str
    left_out: int
    suggestions: tuple[Suggestion, ...]


def recommend(view: View, wallet: str, n: int, as_of: datetime) -> Suggested:
    """Return at most *n* projects that *wallet* did not give to yet, from gifts before *as_of*.

    Suspected wallets have no vote: who controls many would choose what others are shown. Raises
    Refused for what is no wallet, and Unfit where nobody gave.
    """
    address = wallet.lower()
    if not ADDRESS.fullmatch(address):
        raise Refused(f"wallet {wallet}: write an address, 0x and 40 hexadecimal digits")
    if n < 1:
        raise Refused(f"number {n}: write a number from 1 on")
    every = carts(view, as_of)
    is_asked = np.array([one == address for one in every.wallets], dtype=bool)
    kept = every.of(~every.suspected | is_asked)
    if not len(kept.projects):
        raise Unfit(f"none of {len(every.wallets)} donors before {as_of:%Y-%m-%d} is unsuspected")
    donor = kept.wallets.index(address) if address in kept.wallets else None
    found = known(index_of(kept), donor, micros(as_of))
    chosen = found.by_neighbours[:n].tolist()
    return Suggested(
        address,
        tuple(sorted(kept.projects[place] for place in found.mine)),
        _basis(found),
        len(every.wallets) - len(kept.wallets),
        tuple(_suggestion(kept, found, place) for place in chosen),
    )


def _basis(found: Known) -> str:
    if not len(found.mine):
        return "popularity: this wallet gave to no project yet, so nothing can be compared"
    if not found.votes[np.setdiff1d(np.arange(len(found.votes)), found.mine)].any():
        return "popularity: nobody who gave to the same projects gave to another one"
    return f"{len(found.near)} nearest donors, by the projects given to"


def _suggestion(kept: Carts, found: Known, place: int) -> Suggestion:
    votes, donors, nearest = int(found.votes[place]), int(found.popularity[place]), len(found.near)
    reason = (
        f"{votes} of your {nearest} nearest donors gave to it"
        if votes
        else f"popular: {donors} donors gave to it"
    )
    return Suggestion(kept.projects[place], votes, nearest, donors, reason)
