"""Plan what honest people do: give in their own time, in crowds, again, and to several projects."""

from collections.abc import Sequence

from soc.simulate.draw import Draw
from soc.simulate.values import (
    DAYS,
    PREPARATION,
    Account,
    Gift,
    Login,
    Part,
    Project,
    Role,
    Size,
    Transfer,
    Visit,
    Wallet,
)

LAST_GIFT = DAYS - 0.15


def donors(draw: Draw, size: Size, projects: Sequence[Project]) -> Part:
    """Plan the donors, the exchanges and older wallets that fund them, and what they read."""
    hubs = [_wallet(draw, Role.EXCHANGE) for _ in range(2)]
    older = [_wallet(draw, Role.OLDER) for _ in range(size.older)]
    people = [_wallet(draw, Role.DONOR) for _ in range(size.donors)]
    crowds = _crowds(draw, projects, size.donors)
    gifts: list[Gift] = []
    transfers: list[Transfer] = []
    for number, person in enumerate(people):
        own = _gifts(draw, person, projects, crowds[number] if number < len(crowds) else None)
        gifts += own
        spent, first = sum(gift.amount for gift in own), own[0].at
        if number >= len(people) - len(older):
            own_older = older[number - len(people)]
            at = _funded_at(draw, first, reserve=0.4)
            before = max(at - draw.between(0.1, 0.8), -PREPARATION)
            transfers += [
                _transfer(draw, before, hubs[number % 2], own_older, spent * 3),
                _transfer(draw, at, own_older, person, spent),
            ]
        else:
            at = _funded_at(draw, first)
            transfers.append(_transfer(draw, at, hubs[number % 2], person, spent))
            if draw.happens(0.1):
                later = draw.between(at, min(at + 4, LAST_GIFT))
                transfers.append(_transfer(draw, later, draw.pick(hubs), person, spent))
    return Part(
        wallets=(*hubs, *older, *people),
        transfers=tuple(transfers),
        gifts=tuple(gifts),
        visits=tuple(visits_before(draw, gifts, people, 0.3)),
    )


def payroll(draw: Draw, size: Size, projects: Sequence[Project], hub: Wallet) -> Part:
    """Plan the colleagues who are paid by one wallet and, soon after payday, all give at once.

    It looks like an attack and is none: they give to several projects, none of them to the half.
    """
    payer = _wallet(draw, Role.PAYER)
    people = [_wallet(draw, Role.PAYROLL) for _ in range(size.payroll)]
    burst = draw.between(2.5, 9)
    payday = burst - draw.between(0.9, 1.8)
    liked = draw.some(projects, 5)
    shares = [0.36, 0.24, 0.18, 0.14, 0.08]
    asked = [project for project, share in zip(liked, shares, strict=True)
             for _ in range(max(1, round(share * size.payroll)))]  # fmt: skip
    order = draw.some(asked, len(asked))
    transfers = [_transfer(draw, -PREPARATION, hub, payer, 40_000_000_000)]
    gifts: list[Gift] = []
    for number, person in enumerate(people):
        paid_at = payday + 0.5 * number / len(people)
        transfers.append(_transfer(draw, paid_at, payer, person, 300_000_000))
        at = burst + draw.between(0, 0.5)
        project = order[number % len(order)]
        gifts.append(_gift(draw, at, person, project))
        if draw.happens(0.15):
            other = draw.pick([each for each in liked if each is not project])
            gifts.append(_gift(draw, at + draw.between(0.02, 0.2), person, other))
    return Part(
        wallets=(payer, *people),
        transfers=tuple(transfers),
        gifts=tuple(gifts),
        visits=tuple(visits_before(draw, gifts, people, 0.3)),
    )


def staff(draw: Draw, accounts: Sequence[Account]) -> Part:
    """Plan the logins of the platform's own people; some mistype before they get in."""
    logins: list[Login] = []
    for number, account in enumerate(accounts):
        days = [draw.between(0.3, DAYS - 0.3) for _ in range(draw.count(3, 6))]
        for visit, day in enumerate(sorted(days)):
            typos = draw.count(1, 2) if number < len(accounts) - 1 and visit == 1 else 0
            times = [day - 0.04 * back for back in range(typos, -1, -1)]
            logins += [
                Login(at=at, account=account.name, ip=account.ip, succeeds=at == day)
                for at in times
            ]
    return Part(logins=tuple(logins))


def visitors(draw: Draw, size: Size, projects: Sequence[Project], round_id: str) -> Part:
    """Plan people who only look around, without a session."""
    visits: list[Visit] = []
    for _ in range(size.visitors):
        at, ip = draw.between(-0.5, DAYS - 0.3), draw.home_ip()
        paths = ["/rounds", f"/rounds/{round_id}", "/projects"]
        paths += [f"/projects/{each.id}" for each in draw.some(projects, 2)]
        for path in draw.some(paths, draw.count(1, 3)):
            visits.append(Visit(at=at, ip=ip, wallet=None, path=path))
            at += draw.between(0.02, 0.3)
    return Part(visits=tuple(visits))


def visits_before(
    draw: Draw, gifts: Sequence[Gift], people: Sequence[Wallet], chance: float
) -> list[Visit]:
    """Return what givers read before a gift, and how they look at their own gifts after it.

    Who comes for the first time looks at all projects.
    """
    ips = {person.address: person.ip for person in people}
    visits: list[Visit] = []
    came: set[str] = set()
    for gift in gifts:
        who, ip = gift.wallet, ips[gift.wallet]
        if draw.happens(chance):
            before = gift.at - draw.between(0.03, 0.15)
            path = f"/projects/{gift.project}" if who in came else "/projects"
            came.add(who)
            visits.append(Visit(at=before, ip=ip, wallet=who, path=path))
        if draw.happens(0.06):
            after = gift.at + draw.between(0.1, 0.3)
            visits.append(Visit(at=after, ip=ip, wallet=who, path="/donations"))
    return visits


def _wallet(draw: Draw, role: Role) -> Wallet:
    return Wallet(address=draw.address(), ip=draw.home_ip(), role=role)


def _transfer(draw: Draw, at: float, sender: Wallet, receiver: Wallet, need: int) -> Transfer:
    amount = round(need * draw.between(1.05, 3))
    return Transfer(at=at, sender=sender.address, receiver=receiver.address, amount=amount)


def _gift(draw: Draw, at: float, person: Wallet, project: Project) -> Gift:
    return Gift(at=at, wallet=person.address, project=project.id, amount=draw.amount())


def _crowds(draw: Draw, projects: Sequence[Project], donors: int) -> list[tuple[float, Project]]:
    """Return when and to what the first donors give who follow the same call."""
    crowds: list[tuple[float, Project]] = []
    for project in draw.some(projects, 2):
        day = draw.between(1, 12.5)
        crowds += [(day + draw.between(0, 0.4), project) for _ in range(donors // 15)]
    return crowds


def _gifts(
    draw: Draw, person: Wallet, projects: Sequence[Project], call: tuple[float, Project] | None
) -> list[Gift]:
    weights = [1 / (rank + 2) for rank in range(len(projects))]
    at, project = call or (_first_day(draw), draw.pick(projects, weights))
    gifts = [_gift(draw, at, person, project)]
    while True:
        for _ in range(draw.pick((0, 1, 2, 3), (66, 20, 9, 5))):
            at = min(at + draw.around(0.06, 0.7), DAYS - 0.1)
            gifts.append(_gift(draw, at, person, draw.pick(projects, weights)))
        at += draw.between(0.8, 6.5)
        if at > LAST_GIFT or not draw.happens(0.3):
            return gifts
        gifts.append(_gift(draw, at, person, draw.pick(projects, weights)))


def _first_day(draw: Draw) -> float:
    """Return a day as rounds see them: many at the start, more at the end."""
    low, high = draw.pick(((0.1, 2.5), (0.5, 13), (11.5, LAST_GIFT - 0.7)), (36, 36, 28))
    return draw.between(low, high)


def _funded_at(draw: Draw, first_gift: float, reserve: float = 0.05) -> float:
    """Return when the money for *first_gift* came, not before the preparation began."""
    return max(first_gift - max(draw.around(0.9, 0.9), 0.12), reserve - PREPARATION)
