"""Find wallets that share a funder and nearly all give to one project.

Money is followed upwards through intermediaries to its roots. Hubs, which fund many donors
directly (an exchange, a payroll), connect strangers and are left out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from soc.content.digest import digest_of
from soc.detect.detector import Observed
from soc.model.event import Batch
from soc.model.finding import Finding, Match
from soc.model.value import Entity, EntityKind, Severity, Utc, Value, bucket_of
from soc.settings import Detect

RULE = "qf-common-funder"
TRANSFER = "chain.transfer"
DONATION = "chain.donation"
HUB_SHARE = 0.05
HUB_LEAST = 20
"""Below this many donors nobody is a hub: in a small round five in a hundred is one friend."""
WALLETS = 10
TO_ONE_PROJECT = 0.8
DEEPEST = 5
DIGEST = digest_of({"rule": RULE, "wallets": WALLETS, "share": TO_ONE_PROJECT, "hub": HUB_SHARE})


class Gifts(Value):
    """What one wallet gave: how often to each project, and its first and last event."""

    projects: Mapping[str, int] = {}
    first: Utc
    last: Utc
    seqs: tuple[int, ...] = ()


class Graph(Value):
    """Who funded whom, who gave what, and how many wallets each root's finding named last."""

    funders: Mapping[str, tuple[str, ...]] = {}
    gifts: Mapping[str, Gifts] = {}
    reported: Mapping[str, int] = {}


class CommonFunder:
    """Judges every root that a transfer or gift touches; the order of events does not matter."""

    name = "common-funder"
    rules = (RULE,)
    state = Graph

    def __init__(self, settings: Detect) -> None:
        tuning = settings.tuning.get(RULE)
        self._bucket = (tuning.bucket if tuning else None) or settings.bucket

    def observe(self, batch: Batch, state: Graph, now: datetime) -> Observed[Graph]:
        """Add what *batch* tells, then report the roots whose wallets have grown."""
        _ = now  # money has no deadline
        funders, gifts, touched = _grow(batch, state)
        if not touched:
            return Observed(answers=(), state=state)
        hubs = hubs_of(funders, gifts)
        wallets: defaultdict[str, set[str]] = defaultdict(set)
        for wallet in gifts:
            for root in roots_of(wallet, funders, hubs):
                wallets[root].add(wallet)
        reported = dict(state.reported)
        answers = []
        for root, members in sorted(wallets.items()):
            if len(members) <= reported.get(root, 0):
                continue
            for finding in self._judge(root, sorted(members), gifts):
                answers.append(finding)
                reported[root] = len(members)
        remembered = Graph(funders=funders, gifts=gifts, reported=reported)
        return Observed(answers=tuple(answers), state=remembered)

    def _judge(
        self, root: str, members: list[str], gifts: Mapping[str, Gifts]
    ) -> Iterator[Finding]:
        given: Counter[str] = Counter()
        for wallet in members:
            given.update(gifts[wallet].projects)
        project, most = given.most_common(1)[0]
        if len(members) < WALLETS or most < TO_ONE_PROJECT * given.total():
            return
        entity = Entity(kind=EntityKind.WALLET, value=root)
        last = max(gifts[wallet].last for wallet in members)
        share = f"{most} of {given.total()} gifts of {len(members)} wallets"
        yield Finding(
            rule=RULE,
            rule_digest=DIGEST,
            title=f"{root[:6]}…{root[-4:]} funded {len(members)} wallets that gave to {project}",
            severity=Severity.CRITICAL,
            entity=entity,
            entities=(entity, *(Entity(kind=EntityKind.WALLET, value=w) for w in members)),
            bucket=bucket_of(last, self._bucket),
            first=min(gifts[wallet].first for wallet in members),
            last=last,
            count=len(members),
            matched=(
                Match(selection="root", field="counterparty.address", value=root),
                Match(selection="project", field="funding.project.id", value=f"{project}: {share}"),
            ),
            seqs=tuple(sorted(seq for wallet in members for seq in gifts[wallet].seqs))[:200],
        )


def hubs_of(funders: Mapping[str, tuple[str, ...]], donors: Mapping[str, Gifts]) -> frozenset[str]:
    """Return the wallets that funded more donors directly than a person would."""
    direct = Counter(sender for wallet in donors for sender in funders.get(wallet, ()))
    most = max(HUB_LEAST, HUB_SHARE * len(donors))
    return frozenset(sender for sender, wallets in direct.items() if wallets > most)


def roots_of(
    wallet: str, funders: Mapping[str, tuple[str, ...]], hubs: frozenset[str]
) -> frozenset[str]:
    """Return where the money of *wallet* began, not counting hubs; never the wallet itself.

    Money that comes back from below does not count: else a root could hide by being paid.
    """
    roots: set[str] = set()
    seen, layer = {wallet}, [wallet]
    for _ in range(DEEPEST):
        above: list[str] = []
        for current in layer:
            senders = [
                sender
                for sender in funders.get(current, ())
                if sender not in hubs
                and sender not in seen
                and (current == wallet or not _is_above(current, sender, funders, hubs | {wallet}))
            ]
            if not senders and current != wallet:
                roots.add(current)
            above += senders
        seen.update(above)
        layer = sorted(set(above))
    return frozenset(roots | set(layer))


def _is_above(
    root: str, wallet: str, funders: Mapping[str, tuple[str, ...]], apart: frozenset[str]
) -> bool:
    """Return whether money of *root* reached *wallet*, other than through *apart*."""
    seen, layer = {wallet}, [wallet]
    for _ in range(DEEPEST):
        above = {s for one in layer for s in funders.get(one, ()) if s not in apart} - seen
        if root in above:
            return True
        seen |= above
        layer = sorted(above)
    return False


def _grow(batch: Batch, state: Graph) -> tuple[dict[str, tuple[str, ...]], dict[str, Gifts], bool]:
    funders, gifts, touched = dict(state.funders), dict(state.gifts), False
    names = ("dataset", "wallet", "counterparty", "project", "ts", "seq")
    for dataset, wallet, other, project, ts, seq in zip(*map(batch.column, names), strict=True):
        if dataset == TRANSFER and wallet and other and wallet not in funders.get(other, ()):
            funders[other] = tuple(sorted({*funders.get(other, ()), wallet}))
            touched = True
        elif dataset == DONATION and wallet and project:
            old = gifts.get(wallet) or Gifts(first=ts, last=ts)
            gifts[wallet] = Gifts(
                projects={**old.projects, project: old.projects.get(project, 0) + 1},
                first=min(old.first, ts),
                last=max(old.last, ts),
                seqs=(*old.seqs, seq)[:3],
            )
            touched = True
    return funders, gifts, touched
