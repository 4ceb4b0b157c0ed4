"""Plan the other attacks, each within its own part of the round."""

from collections.abc import Sequence

from soc.simulate.draw import Draw
from soc.simulate.values import (
    Account,
    Attack,
    AttackKind,
    Forgery,
    Lag,
    Login,
    Part,
    Project,
    Role,
    Size,
    Visit,
    Wallet,
)


def admin_bruteforce(
    draw: Draw, size: Size, targets: Sequence[Account], begin: float
) -> tuple[Part, Attack]:
    """Plan many wrong passwords within half a day, from two or three addresses."""
    ips = [draw.office_ip("203.0.113") for _ in range(draw.count(2, 3))]
    chosen = targets[: draw.count(1, len(targets))]
    lasts = draw.between(0.35, 0.6)
    guesses = size.guesses + draw.count(0, size.guesses // 4)
    logins = tuple(
        Login(
            at=begin + lasts * number / guesses,
            account=chosen[number % len(chosen)].name,
            ip=draw.pick(ips) if number >= len(ips) else ips[number],
            succeeds=False,
        )
        for number in range(guesses)
    )
    return Part(logins=logins), Attack(
        kind=AttackKind.ADMIN_BRUTEFORCE,
        started=begin,
        ended=logins[-1].at,
        ips=tuple(sorted(ips)),
        accounts=tuple(sorted(account.name for account in chosen)),
    )


def api_abuse(
    draw: Draw, size: Size, projects: Sequence[Project], round_id: str, begin: float
) -> tuple[Part, Attack]:
    """Plan one wallet that reads everything again and again, as fast as it can."""
    wallet = Wallet(
        address=draw.address(), ip=draw.office_ip("198.51.100"), role=Role.ABUSER
    )  # fmt: skip
    lasts = draw.between(0.8, 1.2)
    total = size.hammering + draw.count(0, size.hammering // 8)
    paths = ["/projects", f"/rounds/{round_id}", "/rounds", "/donations"]
    paths += [f"/projects/{project.id}" for project in projects]
    visits = tuple(
        Visit(
            at=begin + lasts * number / total,
            ip=wallet.ip,
            wallet=wallet.address,
            path=draw.pick(paths),
        )
        for number in range(total)
    )
    return Part(wallets=(wallet,), visits=visits), Attack(
        kind=AttackKind.API_ABUSE,
        started=begin,
        ended=visits[-1].at,
        wallets=(wallet.address,),
        ips=(wallet.ip,),
    )


def fake_event(draw: Draw, projects: Sequence[Project], begin: float) -> tuple[Part, Attack]:
    """Plan a few donations that are announced, from one address, but never made."""
    ip = draw.office_ip("192.0.2")
    wallets = tuple(
        Wallet(address=draw.address(), ip=ip, role=Role.FORGER) for _ in range(draw.count(1, 2))
    )
    gained = draw.pick(projects)
    count = draw.count(4, 7)
    forgeries = tuple(
        Forgery(
            at=begin + number * draw.between(0.08, 0.15),
            wallet=wallets[number % len(wallets)].address,
            project=gained.id,
            amount=draw.amount() * 20,
            tx_hash=draw.tx_hash(),
        )
        for number in range(count)
    )
    return Part(wallets=wallets, forgeries=forgeries), Attack(
        kind=AttackKind.FAKE_EVENT,
        started=begin,
        ended=max(forgery.at for forgery in forgeries),
        wallets=tuple(sorted(wallet.address for wallet in wallets)),
        ips=(ip,),
    )


def indexer_lag(draw: Draw, begin: float) -> tuple[Lag, Attack]:
    """Plan an indexer that works at half speed, stays behind, and has caught up two days later.

    At half speed it never falls silent: who watches it sees its distance grow.
    """
    worst = draw.between(0.7, 0.85)
    worst_from = begin + 2 * worst
    recovers_from = worst_from + draw.between(0.3, 0.45)
    recovered = recovers_from + 0.15
    lag = Lag(
        begins=begin,
        worst_from=worst_from,
        recovers_from=recovers_from,
        recovered=recovered,
        worst=worst,
    )
    return lag, Attack(kind=AttackKind.INDEXER_LAG, started=begin, ended=recovered)
