"""What a round's gifts come to, with some wallets counted, weighed down or left out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from typing import Self

import orjson
from sqlmodel import Session, col, or_, select

from soc.errors import Unmatched
from soc.funding.matching import (
    Contributions,
    Gift,
    Matching,
    Moved,
    Quadratic,
    contributions,
    moved,
    share,
)
from soc.store.tables import Donation, Effect, Project, Round

MOST_GIFTS = 200_000
"""Gifts of a round that are matched here: more take too long for a page."""
AT_ONCE = 500
"""Wallets that one question names."""
WEIGHT = "weight"
"""The kind of effect that lets a wallet count for less."""
IN_FORCE = ("active", "lifting")
WALLET = "wallet:"


@dataclass(frozen=True)
class Book:
    """A round as it stands: its gifts that are on chain, in the smallest unit, and its pool.

    names: of projects, by id. weights: in force, by wallet. bound: of a pair, in the smallest
    unit; None for plain quadratic funding.
    """

    round: str
    name: str
    pool: int
    gifts: tuple[Gift, ...]
    names: Mapping[str, str]
    weights: Mapping[str, Fraction]
    bound: int | None

    @classmethod
    def of(cls, session: Session, round_id: str, bound: int | None, now: datetime) -> Self | None:
        """Read a round, or return None if there is none; raises Unmatched beyond MOST_GIFTS gifts.

        Gifts that are only announced do not count: the chain has not said that they were made.
        """
        row = session.get(Round, round_id)
        if row is None:
            return None
        on_chain = (col(Donation.round) == round_id, col(Donation.on_chain).is_not(None))
        query = select(Donation.project, Donation.wallet, Donation.amount).where(*on_chain)
        found = session.exec(query.limit(MOST_GIFTS + 1)).all()
        if len(found) > MOST_GIFTS:
            raise Unmatched(f"{round_id} has more than {MOST_GIFTS:,} gifts: none are matched here")
        named = select(Project.id, Project.name).where(col(Project.round) == round_id)
        return cls(
            round=round_id,
            name=row.name,
            pool=int(row.pool),
            gifts=tuple(Gift(project, wallet, int(told)) for project, wallet, told in found),
            names=dict(session.exec(named).all()),
            weights=_weights(session, round_id, now),
            bound=bound,
        )

    @property
    def matching(self) -> str:
        """How the pool is shared: quadratic or pairwise."""
        return "quadratic" if self.bound is None else "pairwise"

    @cached_property
    def counted(self) -> Matching:
        """The matching as it would be paid now: all wallets, with the weights in force."""
        return self._matched(frozenset())

    def without(self, suspects: Collection[str]) -> Moved:
        """Return what *suspects*, wallets, move: the matching now, and that without them."""
        left_out = self.wallets.intersection(suspects)
        return moved(self.counted, self._matched(left_out))

    @cached_property
    def givers(self) -> Mapping[str, frozenset[str]]:
        """The wallets that gave, by project."""
        by: dict[str, set[str]] = {project: set() for project in self.names}
        for gift in self.gifts:
            by.setdefault(gift.project, set()).add(gift.wallet)
        return {project: frozenset(wallets) for project, wallets in sorted(by.items())}

    @cached_property
    def wallets(self) -> frozenset[str]:
        """All wallets that gave."""
        return frozenset(gift.wallet for gift in self.gifts)

    @cached_property
    def _given(self) -> Contributions:
        return contributions(self.gifts, self.weights)

    @cached_property
    def _roots(self) -> Quadratic:
        return Quadratic(self._given)

    def _matched(self, left_out: frozenset[str]) -> Matching:
        if self.bound is None:
            return share(self._roots.ideal(left_out), self.pool)
        from soc.funding.pairs import pairwise  # defers numpy

        kept = {
            project: {wallet: sum_ for wallet, sum_ in by.items() if wallet not in left_out}
            for project, by in self._given.items()
        }
        return share(pairwise(kept, self.bound), self.pool)


def rounds_of(session: Session, wallets: Collection[str], most: int) -> list[str]:
    """Return the rounds that *wallets* gave to on chain, at most *most*, the newest first."""
    asked = sorted(wallets)
    found: set[str] = set()
    for begin in range(0, len(asked), AT_ONCE):
        some = asked[begin : begin + AT_ONCE]
        gave = (col(Donation.wallet).in_(some), col(Donation.on_chain).is_not(None))
        found |= set(session.exec(select(Donation.round).where(*gave).distinct()))
    known = select(Round.id).where(col(Round.id).in_(sorted(found)))
    newest = (col(Round.opened).is_(None), col(Round.opened).desc(), col(Round.id))
    return list(session.exec(known.order_by(*newest).limit(most)))


def _weights(session: Session, round_id: str, now: datetime) -> dict[str, Fraction]:
    """Return the weights in force, by wallet; of several for one wallet the smallest counts."""
    query = select(Effect.subject, Effect.details_json).where(
        col(Effect.kind) == WEIGHT,
        col(Effect.state).in_(IN_FORCE),
        col(Effect.subject).startswith(WALLET),
        or_(col(Effect.until).is_(None), col(Effect.until) > now),
    )
    weights: dict[str, Fraction] = {}
    for subject, details in session.exec(query):
        told = orjson.loads(details)
        if told.get("round") in {None, round_id}:
            wallet, weight = subject.removeprefix(WALLET), Fraction(str(told["weight"]))
            weights[wallet] = min(weight, weights.get(wallet, weight))
    return weights
