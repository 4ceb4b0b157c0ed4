"""Turn a plan into acts: things to do at a time, each of a few requests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from soc.demo.driver.client import Crowd, Platform
from soc.simulate.values import (
    DAYS,
    AttackKind,
    Forgery,
    Gift,
    Lag,
    Login,
    RoundPlan,
    Transfer,
    Visit,
)

ACCEPTED = 300
"""Answers below this have done what was asked."""
LAG_STEP = 0.5
"""Seconds between two changes of the indexer's delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something to do on a day, and the attack it belongs to."""

    at: float
    do: Callable[[], object]
    attack: AttackKind | None = None


class Acts:
    """The acts of one plan, played by one crowd."""

    def __init__(
        self, plan: RoundPlan, crowd: Crowd, passwords: dict[str, str], day_seconds: float
    ) -> None:
        self._plan = plan
        self._crowd = crowd
        self._platform: Platform = crowd.platform
        self._passwords = passwords
        self._day_seconds = day_seconds
        self._attack_of = {
            name: attack.kind for attack in plan.attacks for name in (*attack.wallets, *attack.ips)
        }

    def in_order(self) -> list[Act]:
        """Return every act, by time."""
        return sorted(self._all(), key=lambda act: act.at)

    def _all(self) -> Iterator[Act]:
        for transfer in self._plan.transfers:
            yield self._act(transfer.at, partial(self._transfer, transfer))
        for gift in self._plan.gifts:
            yield self._act(gift.at, partial(self._give, gift), gift.wallet)
        for forgery in self._plan.forgeries:
            yield self._act(forgery.at, partial(self._forge, forgery), forgery.wallet)
        for visit in self._plan.visits:
            # A sybil that only reads has not begun its attack.
            abuses = self._attack_of.get(visit.ip) is AttackKind.API_ABUSE
            yield self._act(visit.at, partial(self._visit, visit), visit.ip if abuses else "")
        for number, login in enumerate(self._plan.logins):
            yield self._act(login.at, partial(self._log_in, login, number), login.ip)
        yield from self._delays(self._plan.lag)
        path = f"/admin/rounds/{self._plan.round.id}/close"
        yield self._act(DAYS, partial(self._platform.operate, path, {}))

    def _act(self, at: float, do: Callable[[], object], who: str = "") -> Act:
        return Act(at=at, do=do, attack=self._attack_of.get(who))

    def _transfer(self, it: Transfer) -> None:
        self._crowd.send(
            it.sender, "/chain/transfer", {"to": it.receiver, "amount": str(it.amount)}
        )

    def _give(self, it: Gift) -> None:
        """Give on chain, then tell the platform; without the first there is nothing to tell."""
        gift = {"round": self._plan.round.id, "project": it.project, "amount": str(it.amount)}
        given = self._crowd.send(it.wallet, "/chain/donate", gift)
        if given.status < ACCEPTED and "tx_hash" in given.body:
            self._crowd.send(it.wallet, "/donations", {**gift, "tx_hash": given.body["tx_hash"]})

    def _forge(self, it: Forgery) -> None:
        gift = {"round": self._plan.round.id, "project": it.project, "amount": str(it.amount)}
        self._crowd.send(it.wallet, "/donations", {**gift, "tx_hash": it.tx_hash})

    def _visit(self, it: Visit) -> None:
        if it.wallet is None:
            self._platform.get(it.path, it.ip)
        else:
            self._crowd.read(it.wallet, it.path)

    def _log_in(self, it: Login, number: int) -> None:
        password = self._passwords[it.account] if it.succeeds else f"guess-{number}"
        self._platform.post("/admin/login", {"name": it.account, "password": password}, it.ip)

    def _delays(self, lag: Lag) -> Iterator[Act]:
        """Slow the indexer down step by step, so that it never falls silent."""
        lasts = lag.recovered - lag.begins
        steps = max(8, round(lasts * self._day_seconds / LAG_STEP))
        for step in range(1, steps + 1):
            day = lag.begins + lasts * step / steps
            seconds = lag.delay_at(day) * self._day_seconds if step < steps else 0.0
            body = {"delay_seconds": round(seconds, 3)}
            yield Act(
                at=day,
                do=partial(self._platform.operate, "/admin/indexer", body),
                attack=AttackKind.INDEXER_LAG,
            )
