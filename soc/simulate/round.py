"""Plan one compressed funding round: honest people, five attacks, and the truth about both."""

from collections.abc import Sequence
from operator import attrgetter

from soc.simulate import honest
from soc.simulate.attacks import admin_bruteforce, api_abuse, fake_event, indexer_lag
from soc.simulate.draw import Draw
from soc.simulate.habits import habits_of
from soc.simulate.sybil import sybil_fanout
from soc.simulate.values import (
    FULL,
    Account,
    Attack,
    AttackKind,
    Lag,
    Part,
    Project,
    Role,
    Round,
    RoundPlan,
    Size,
)

TITLES = (
    "Open Maps", "Solar Library", "River Watch", "Seed Commons", "Free Fonts", "Radio Mesh",
    "Bee Census", "Tool Library", "Night Bus", "Proof Reader", "Tide Tables", "Soil Atlas",
    "Repair Cafe", "Plain Law", "Star Catalogue", "Bread Bank",
)  # fmt: skip
SLOTS = (1.0, 3.4, 5.8, 8.2)
"""When the parts of the round begin in which one of the attacks without sybils happens."""
TARGETS = ("admin", "treasury")
STAFF = ("ines", "tomas", "wen")
AT = attrgetter("at")


def plan(seed: int, size: Size = FULL) -> RoundPlan:
    """Return the round of *seed*: the same seed and size give the same plan, to the last digit."""
    draw = Draw(seed)
    this = Round(id=f"r{seed}", name=f"Commons Round {seed}", pool=250_000_000_000)
    projects = _projects(draw)
    staff, targets = _accounts(draw, STAFF), _accounts(draw, TARGETS)
    people = _people(draw, size, this, projects, staff)
    attackers, lag, truths = _attackers(
        draw, size, this, projects, targets=targets, givers=people[0]
    )
    acts = [*people, *attackers]
    return RoundPlan(
        seed=seed,
        round=this,
        projects=projects,
        accounts=(*staff, *targets),
        lag=lag,
        attacks=tuple(sorted(truths, key=lambda each: each.started)),
        wallets=tuple(wallet for part in acts for wallet in part.wallets),
        transfers=tuple(sorted((x for part in acts for x in part.transfers), key=AT)),
        gifts=tuple(sorted((x for part in acts for x in part.gifts), key=AT)),
        forgeries=tuple(sorted((x for part in acts for x in part.forgeries), key=AT)),
        visits=tuple(sorted((x for part in acts for x in part.visits), key=AT)),
        logins=tuple(sorted((x for part in acts for x in part.logins), key=AT)),
    )


def _people(
    draw: Draw, size: Size, this: Round, projects: Sequence[Project], staff: Sequence[Account]
) -> list[Part]:
    givers = honest.donors(draw, size, projects)
    hub = next(wallet for wallet in givers.wallets if wallet.role is Role.EXCHANGE)
    return [
        givers,
        honest.payroll(draw, size, projects, hub),
        honest.staff(draw, staff),
        honest.visitors(draw, size, projects, this.id),
    ]


def _attackers(
    draw: Draw,
    size: Size,
    this: Round,
    projects: Sequence[Project],
    *,
    targets: Sequence[Account],
    givers: Part,
) -> tuple[list[Part], Lag, list[Attack]]:
    hubs = [wallet for wallet in givers.wallets if wallet.role is Role.EXCHANGE]
    habits = habits_of((each.address for each in givers.wallets), givers.gifts, givers.transfers)
    begins = _begins(draw)
    lag, lag_truth = indexer_lag(draw, begins[AttackKind.INDEXER_LAG])
    plans = [
        sybil_fanout(draw, size, projects, hubs, habits),
        admin_bruteforce(draw, size, targets, begins[AttackKind.ADMIN_BRUTEFORCE]),
        api_abuse(draw, size, projects, this.id, begins[AttackKind.API_ABUSE]),
        fake_event(draw, projects, begins[AttackKind.FAKE_EVENT]),
    ]
    return [part for part, _ in plans], lag, [*(truth for _, truth in plans), lag_truth]


def _begins(draw: Draw) -> dict[AttackKind, float]:
    """Return when each attack but the sybils begins: one in each part of the round."""
    kinds = [kind for kind in AttackKind if kind is not AttackKind.SYBIL_FANOUT]
    return {
        kind: slot + draw.between(0, 0.15 if kind is AttackKind.INDEXER_LAG else 1.1)
        for kind, slot in zip(draw.some(kinds, len(kinds)), SLOTS, strict=True)
    }


def _projects(draw: Draw) -> tuple[Project, ...]:
    names = draw.some(TITLES, draw.count(12, len(TITLES)))
    return tuple(
        Project(id=f"p{number:02d}", name=name, owner=draw.address())
        for number, name in enumerate(names, 1)
    )


def _accounts(draw: Draw, names: Sequence[str]) -> list[Account]:
    return [
        Account(name=name, roles=("admin",), ip=draw.office_ip("192.0.2"))
        for name in draw.some(names, len(names))
    ]
