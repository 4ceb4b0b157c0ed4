"""What a planned round consists of; every time is an offset in round days from its opening."""

from dataclasses import dataclass
from enum import StrEnum

DAYS = 14.0
"""How long a round is open."""
PREPARATION = 1.5
"""How many days before the opening the first transfers happen."""


class Role(StrEnum):
    """What a wallet is in truth.

    Honest: donor, payroll (a donor paid by the one payer), payer, exchange, older (a donor's other
    wallet). Attackers: sybil (gives), between (funds one sybil), root (funds all of those), abuser
    (hammers the API), forger (announces what never happened).
    """

    DONOR = "donor"
    PAYROLL = "payroll"
    PAYER = "payer"
    EXCHANGE = "exchange"
    OLDER = "older"
    SYBIL = "sybil"
    BETWEEN = "between"
    ROOT = "root"
    ABUSER = "abuser"
    FORGER = "forger"


HONEST = frozenset({Role.DONOR, Role.PAYROLL, Role.PAYER, Role.EXCHANGE, Role.OLDER})


class AttackKind(StrEnum):
    """What is played against the platform; the last one is a fault rather than an attack."""

    SYBIL_FANOUT = "sybil_fanout"
    ADMIN_BRUTEFORCE = "admin_bruteforce"
    API_ABUSE = "api_abuse"
    FAKE_EVENT = "fake_event"
    INDEXER_LAG = "indexer_lag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much happens; each attack stays recognisable at any size."""

    donors: int = 250
    payroll: int = 62
    older: int = 24
    sybils: int = 42
    visitors: int = 60
    hammering: int = 340
    guesses: int = 48


FULL = Size()
SMALL = Size(
    donors=24, payroll=8, older=3, sybils=8, visitors=6, hammering=30, guesses=12
)  # fmt: skip
"""Enough for a test that plays a round within seconds; it keeps no promise about numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The round itself; pool is in the token's smallest unit."""

    id: str
    name: str
    pool: int
    token: str = "USDC"  # noqa: S105  a currency, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Something that can be given to."""

    id: str
    name: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A login of the platform's staff, and where its owner sits."""

    name: str
    roles: tuple[str, ...]
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """An address on chain, where its owner comes from, and what it is in truth."""

    address: str
    ip: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money that moves between two wallets, in the token's smallest unit."""

    at: float
    sender: str
    receiver: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """A donation: first made on chain, then announced to the platform."""

    at: float
    wallet: str
    project: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A donation that is announced with a hash which is never on chain."""

    at: float
    wallet: str
    project: str
    amount: int
    tx_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A page that somebody reads; wallet is None for a visitor without a session."""

    at: float
    ip: str
    wallet: str | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An attempt of somebody at *ip* to log in as *account*."""

    at: float
    account: str
    ip: str
    succeeds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How the indexer falls behind: it slows down, stays behind, and catches up."""

    begins: float
    worst_from: float
    recovers_from: float
    recovered: float
    worst: float

    def delay_at(self, day: float) -> float:
        """Return how many days behind the indexer is made to be on *day*."""
        if not self.begins < day < self.recovered:
            return 0.0
        if day < self.worst_from:
            return self.worst * (day - self.begins) / (self.worst_from - self.begins)
        if day <= self.recovers_from:
            return self.worst
        return self.worst * (self.recovered - day) / (self.recovered - self.recovers_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """The truth about one attack: when, and by whom.

    ended: when it has done what it came for. Sybil wallets try again after that, until the round
    ends: on those attempts containment is measured.
    """

    kind: AttackKind
    started: float
    ended: float
    wallets: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one group of people does."""

    wallets: tuple[Wallet, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    gifts: tuple[Gift, ...] = ()
    forgeries: tuple[Forgery, ...] = ()
    visits: tuple[Visit, ...] = ()
    logins: tuple[Login, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan(Part):
    """One compressed round, each kind of act in the order of time, with its truth."""

    seed: int
    round: Round
    projects: tuple[Project, ...]
    accounts: tuple[Account, ...]
    lag: Lag
    attacks: tuple[Attack, ...]

    def addresses(self, *roles: Role) -> tuple[str, ...]:
        """Return the sorted addresses of the wallets that have one of *roles*."""
        return tuple(sorted(each.address for each in self.wallets if each.role in roles))

    @property
    def honest(self) -> tuple[str, ...]:
        """Return every wallet that nothing should ever hold back, payroll included."""
        return self.addresses(*HONEST)
