"""Find wallets that share a funder and nearly all give to one project.

Money is followed upwards through intermediaries. Hubs, which fund many donors of many projects
directly (an exchange, a payroll), connect strangers and are left out. A stranger who sends dust, or
sends money after the first gift, funds nothing.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from soc.content.digest import digest_of
from soc.detect.ancestry import (
    DUST,
    HUB_LEAST,
    HUB_SHARE,
    TO_ONE_PROJECT,
    Ancestry,
    is_to_one,
    projects_of,
)
from soc.detect.detector import Observed
from soc.detect.money import Gifts, Graph, Name, grow
from soc.model.event import Batch
from soc.model.finding import Finding, Match
from soc.model.value import EntityKind, Severity, bucket_of, entity, short
from soc.settings import Detect

RULE = "qf-common-funder"
WALLETS = 10
MOST_REPORTED = 1_000
DIGEST = digest_of(
    {
        "rule": RULE,
        "wallets": WALLETS,
        "share": TO_ONE_PROJECT,
        "hub": [HUB_LEAST, HUB_SHARE],
        "dust": DUST,
        "version": 2,
    }
)
Members = Mapping[Name, int]
"""Donors below a wallet, each with how many hands away."""


class CommonFunder:
    """Judges every root that a transfer or gift touches; the order of events does not matter."""

    name = "common-funder"
    rules = (RULE,)
    state = Graph

    def __init__(self, settings: Detect) -> None:
        tuning = settings.tuning.get(RULE)
        self._bucket = (tuning.bucket if tuning else None) or settings.bucket

    def observe(self, batch: Batch, state: Graph, now: datetime) -> Observed[Graph]:
        """Add what *batch* tells, then report the roots that have wallets nobody named yet."""
        _ = now  # money has no deadline
        graph = grow(state, batch)
        if graph is state:
            return Observed(answers=(), state=state)
        reported = dict(graph.reported)
        answers = []
        for root, members in clusters_of(graph).items():
            if set(members) <= set(reported.get(root, ())):
                continue
            answers.append(self._finding(root, sorted(members), graph.gifts))
            reported[root] = tuple(sorted(members))
        kept = dict(
            sorted(reported.items(), key=lambda one: (-len(one[1]), one[0]))[:MOST_REPORTED]
        )
        return Observed(answers=tuple(answers), state=graph.model_copy(update={"reported": kept}))

    def _finding(self, root: Name, members: list[Name], gifts: Mapping[Name, Gifts]) -> Finding:
        given = projects_of(members, gifts)
        project, most = min(given.items(), key=lambda one: (-one[1], one[0]))
        named = (entity(EntityKind.WALLET, name) for name in (root, *members))
        entities = tuple(one for one in named if one)
        last = max(gifts[wallet].last for wallet in members)
        share = f"{most} of {given.total()} gifts of {len(members)} wallets"
        told = f"{short(root)} funded {len(members)} wallets that gave to {short(project)}"
        return Finding(
            rule=RULE,
            rule_digest=DIGEST,
            title=told,
            severity=Severity.CRITICAL,
            entity=entities[0],
            entities=entities,
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


def clusters_of(graph: Graph) -> dict[Name, Members]:
    """Return the donors below each root that funds ten or more for one project.

    Of wallets above the same donors, the topmost is the root; who is above only some of the donors
    of another root is none.
    """
    ancestry = Ancestry(graph)
    below: defaultdict[Name, dict[Name, int]] = defaultdict(dict)
    for donor in sorted(graph.gifts):
        for name, hands in ancestry.above(donor).items():
            below[name][donor] = hands
    alike: defaultdict[frozenset[Name], list[Name]] = defaultdict(list)
    for name, members in below.items():
        if len(members) >= WALLETS and is_to_one(projects_of(members, graph.gifts)):
            alike[frozenset(members)].append(name)
    kept: list[frozenset[Name]] = []
    for donors in sorted(alike, key=lambda one: (-len(one), sorted(one))):
        if not any(donors < larger for larger in kept):
            kept.append(donors)
    roots = set()
    for donors in kept:
        distance = {name: sum(below[name].values()) for name in alike[donors]}
        roots.add(ancestry.topmost(distance))
    return {root: below[root] for root in sorted(roots)}
