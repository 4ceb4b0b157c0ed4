"""Plan sybils that give as people do: only the graph of money and their target betray them."""

from collections.abc import Sequence

from soc.simulate.draw import Draw
from soc.simulate.habits import Habits, middle
from soc.simulate.honest import visits_before
from soc.simulate.values import (
    DAYS,
    PREPARATION,
    Attack,
    AttackKind,
    Gift,
    Part,
    Project,
    Role,
    Size,
    Transfer,
    Wallet,
)

QUICK = 0.25
"""Gaps below this many days are gifts in one sitting."""
BACK = (1.1, 4.0)
"""Gaps between these many days are a return."""
ELSEWHERE = 0.09
"""The share of gifts that go to other projects, to be seen less."""


def sybil_fanout(
    draw: Draw, size: Size, projects: Sequence[Project], hubs: Sequence[Wallet], habits: Habits
) -> tuple[Part, Attack]:
    """Plan one root that funds a wallet for each sybil, which funds that sybil, which gives.

    Amounts, gaps and ages are drawn from the middle of the honest *habits*. A third of the sybils
    also get money from an exchange, as honest donors do.
    """
    root = Wallet(address=draw.address(), ip=draw.home_ip(), role=Role.ROOT)
    sybils = [_new(draw, Role.SYBIL) for _ in range(size.sybils + draw.count(0, size.sybils // 6))]
    between = [_new(draw, Role.BETWEEN) for _ in sybils]
    begin = draw.between(1.6, 3)
    times = [_times(draw, habits, begin + draw.between(0, 1.2)) for _ in sybils]
    gifts = _gifts(draw, sybils, times, projects, habits)
    transfers: list[Transfer] = []
    for number, (sybil, middleman) in enumerate(zip(sybils, between, strict=True)):
        spent = sum(gift.amount for gift in gifts if gift.wallet == sybil.address)
        at = times[number][0] - _age(draw, habits, times[number][0])
        before = max(at - draw.between(0.1, 0.6), -PREPARATION)
        transfers += [
            _transfer(draw, before, root, middleman, spent * 2),
            _transfer(draw, at, middleman, sybil, spent),
        ]
        if number % 3 == 0:
            later = draw.between(at, times[number][0])
            transfers.append(_transfer(draw, later, draw.pick(hubs), sybil, spent // 2))
    second = max(max(each[1:4]) for each in times)
    wallets = (root, *between, *sybils)
    part = Part(
        wallets=wallets,
        transfers=tuple(transfers),
        gifts=tuple(gifts),
        visits=tuple(visits_before(draw, gifts, sybils, 0.2)),
    )
    return part, Attack(
        kind=AttackKind.SYBIL_FANOUT,
        started=min(gift.at for gift in gifts),
        ended=second,
        wallets=tuple(sorted(wallet.address for wallet in wallets)),
        ips=tuple(sorted(wallet.ip for wallet in wallets)),
    )


def _new(draw: Draw, role: Role) -> Wallet:
    return Wallet(address=draw.address(), ip=draw.home_ip(), role=role)


def _transfer(draw: Draw, at: float, sender: Wallet, receiver: Wallet, need: int) -> Transfer:
    amount = round(need * draw.between(1.05, 3))
    return Transfer(at=at, sender=sender.address, receiver=receiver.address, amount=amount)


def _times(draw: Draw, habits: Habits, first: float) -> list[float]:
    """Return when one sybil gives: once, three times more than a day later, once, three times.

    The last three come after any approval. In a small round no honest gap may serve as a model.
    """
    usual = middle(habits.gaps)
    quick = [gap for gap in usual if gap < QUICK] or [0.06]
    back = [gap for gap in usual if BACK[0] < gap < BACK[1]] or [2.0]
    times = [first, first + draw.pick(back)]
    times += _sitting(draw, times[-1], quick)
    last = draw.between(12.2, DAYS - 0.7)
    times.append(times[-1] + (last - times[-1]) * draw.between(0.45, 0.55))
    return [*times, last, *_sitting(draw, last, quick)]


def _sitting(draw: Draw, at: float, quick: Sequence[float]) -> list[float]:
    second = at + draw.pick(quick)
    return [second, second + draw.pick(quick)]


def _gifts(
    draw: Draw,
    sybils: Sequence[Wallet],
    times: Sequence[Sequence[float]],
    projects: Sequence[Project],
    habits: Habits,
) -> list[Gift]:
    target = draw.pick(projects[len(projects) // 3 :])
    others = [project for project in projects if project is not target]
    amounts = middle(habits.amounts)
    total = sum(map(len, times))
    elsewhere = frozenset(draw.some(range(total), int(ELSEWHERE * total)))
    acts = [(sybil, at) for sybil, each in zip(sybils, times, strict=True) for at in each]
    return [
        Gift(
            at=at,
            wallet=sybil.address,
            project=(draw.pick(others) if number in elsewhere else target).id,
            amount=int(draw.pick(amounts)),
        )
        for number, (sybil, at) in enumerate(acts)
    ]


def _age(draw: Draw, habits: Habits, first: float) -> float:
    """Return a usual age that fits into the time since the preparation began."""
    longest = first + PREPARATION - 0.3
    return draw.pick([age for age in middle(habits.ages) if age < longest] or [0.5])
