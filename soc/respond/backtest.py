"""Say what playbooks would have done about the incidents of some time. Nothing is written."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from soc.clock import Clock
from soc.errors import ExpressionError, Illegal
from soc.respond.expression import render
from soc.respond.plan import outline, rehearsing
from soc.respond.playbook import Playbook
from soc.respond.trigger import offers
from soc.respond.turn import Means
from soc.settings import Respond
from soc.store.session import Database, reading
from soc.store.tables import Alert, Donation, Incident

CLEARED = frozenset({"false_positive", "benign_positive"})
AT_ONCE = 500
WALLET = "wallet:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run that would have been: of *playbook*, about an incident, with what it is given."""

    playbook: Playbook
    incident: int
    created: datetime
    cleared: bool
    offered: dict[str, Any]


@dataclass(slots=True)
class Told:
    """What one playbook would have done.

    cleared: wallets that it would have held, and whose incident was closed as a false or benign
    positive. donations: those of held wallets while they were held, by transaction. caps: why
    steps would have waited for people, beyond the approvals that the playbook itself asks for.
    """

    runs: int = 0
    failed: int = 0
    approvals: int = 0
    wallets: set[str] = field(default_factory=set)
    cleared: set[str] = field(default_factory=set)
    donations: dict[str, int] = field(default_factory=dict)
    caps: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def plain(self, playbook: str) -> dict[str, Any]:
        """Return it as JSON values; the amount is integer text."""
        return {
            "playbook": playbook,
            "runs": self.runs,
            "failed": self.failed,
            "approvals": self.approvals,
            "wallets": len(self.wallets),
            "later_cleared": len(self.cleared),
            "donations": len(self.donations),
            "amount": str(sum(self.donations.values())),
            "caps": dict(sorted(self.caps.items())),
            "problems": self.problems,
        }


def backtest(
    database: Database,
    playbooks: Sequence[Playbook],
    since: datetime,
    means: Means,
    policy: Respond,
    clock: Clock,
) -> list[dict[str, Any]]:
    """Return what each of *playbooks* would have done about incidents opened from *since* on.

    Incidents count as they are now, with all that they have gained.
    """
    told = {playbook.name: Told() for playbook in playbooks}
    with reading(database) as looking:
        cases = list(_cases(looking, playbooks, since, told))
    with rehearsing() as stage:
        for case in cases:
            one = told[case.playbook.name]
            try:
                plan = outline(case.playbook, case.offered, {}, means, policy, clock, stage)
            except Illegal as wrong:
                one.problems.append(f"INC-{case.incident}: {wrong}")
                continue
            _count(one, plan)
            held = _held(plan)
            one.wallets |= set(held)
            one.cleared |= set(held) if case.cleared else set()
            with reading(database) as looking:
                one.donations.update(_donations(looking, held, case.created))
    return [told[playbook.name].plain(playbook.name) for playbook in playbooks]


def _cases(
    looking: Session, playbooks: Sequence[Playbook], since: datetime, told: dict[str, Told]
) -> Iterator[Case]:
    """Yield the runs that would have been, in the order of their incidents."""
    named = _rules(looking, since)
    seen: set[str] = set()
    query = select(Incident).where(col(Incident.created) >= since).order_by(col(Incident.id))
    for incident in looking.exec(query):
        for playbook in playbooks:
            on, number = playbook.on.incident, incident.id or 0
            if on is None or not named.get(number, set()).intersection(on.rules):
                continue
            try:
                given = [o for o in offers(looking, incident, on) if _is_first(playbook, o, seen)]
            except ExpressionError as wrong:
                told[playbook.name].problems.append(f"INC-{number}: {wrong}")
                continue
            for offered in given:
                yield Case(
                    playbook=playbook,
                    incident=number,
                    created=incident.created,
                    cleared=incident.state == "closed" and incident.verdict in CLEARED,
                    offered=offered,
                )


def _rules(looking: Session, since: datetime) -> dict[int, set[str]]:
    """Return the rules of each incident's alerts."""
    query = (
        select(Alert.incident, Alert.rule)
        .join(Incident, col(Incident.id) == col(Alert.incident))
        .where(col(Incident.created) >= since)
        .distinct()
    )
    found: dict[int, set[str]] = {}
    for incident, rule in looking.exec(query):
        found.setdefault(incident or 0, set()).add(rule)
    return found


def _is_first(playbook: Playbook, offered: dict[str, Any], seen: set[str]) -> bool:
    """Return whether ``once_per`` lets this run be, and remember it."""
    if not playbook.once_per:
        return True
    key = f"{playbook.name}:{render(playbook.once_per, {'incident': offered})}"
    is_first = key not in seen
    seen.add(key)
    return is_first


def _count(one: Told, plan: dict[str, Any]) -> None:
    one.runs += 1
    one.failed += plan["state"] == "failed"
    one.approvals += len(plan["approvals"])
    for line in plan["steps"]:
        if line["decision"] == "ask" and line["use"] != "approval":
            one.caps[line["why"]] += 1


def _held(plan: dict[str, Any]) -> dict[str, timedelta]:
    """Return the wallets that *plan* holds, each with the longest of its spans."""
    held: dict[str, timedelta] = {}
    for effect in plan["effects"]:
        if effect["subject"].startswith(WALLET):
            wallet = effect["subject"].removeprefix(WALLET)
            span = timedelta(seconds=effect["seconds"])
            held[wallet] = max(held.get(wallet, span), span)
    return held


def _donations(
    looking: Session, held: dict[str, timedelta], begin: datetime
) -> Iterator[tuple[str, int]]:
    """Yield the gifts of *held* wallets while they were held: transaction and amount."""
    at = func.coalesce(Donation.on_chain, Donation.announced)
    for wallets in _slices(sorted(held)):
        query = select(Donation).where(col(Donation.wallet).in_(wallets), at >= begin)
        for gift in looking.exec(query):
            moment = gift.on_chain or gift.announced
            if moment and moment <= begin + held[gift.wallet]:
                yield gift.tx_hash, int(gift.amount)


def _slices(wallets: Sequence[str]) -> Iterable[Sequence[str]]:
    return (wallets[place : place + AT_ONCE] for place in range(0, len(wallets), AT_ONCE))
