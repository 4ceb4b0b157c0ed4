"""The order of the projects page: as registered, or first what this wallet may like."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import log

from soc.demo.platform.store import Donation, Project
from soc.demo.platform.variants import RECOMMENDED, SAME_CLUSTER

TOP = 5
"""So many projects come first."""
CLUSTERS, ROUNDS = 3, 20


def arranged(
    projects: Sequence[Project], arm: str, donations: Sequence[Donation], wallet: str
) -> list[Project]:
    """Return *projects* as variant *arm* shows them to *wallet*; no project is left out."""
    liked = {RECOMMENDED: _recommended, SAME_CLUSTER: _of_cluster}
    scores = liked[arm](donations, wallet) if arm in liked else Counter[str]()
    first = sorted(scores, key=lambda each: (-scores[each], each))[:TOP]
    place = {project: number for number, project in enumerate(first)}
    return sorted(projects, key=lambda each: place.get(each.id, TOP))


def _recommended(donations: Sequence[Donation], wallet: str) -> Counter[str]:
    """Score what others gave to who gave to the same projects, by how much alike they are."""
    given = _given(donations)
    mine, scores = given.get(wallet, set()), Counter[str]()
    for other, theirs in given.items():
        if other != wallet and (shared := len(mine & theirs)):
            for project in theirs - mine:
                scores[project] += shared * 1_000_000 // len(mine | theirs)
    return scores


def _of_cluster(donations: Sequence[Donation], wallet: str) -> Counter[str]:
    """Count what wallets of the same cluster gave to: k-means of the logarithms of their sums."""
    sums: dict[str, int] = defaultdict(int)
    for each in donations:
        sums[each.wallet] += int(each.amount)
    if wallet not in sums:
        return Counter()
    cluster = clusters({each: log(amount) for each, amount in sums.items()})
    given = _given(donations)
    peers = [each for each in sums if each != wallet and cluster[each] == cluster[wallet]]
    return Counter(project for peer in peers for project in given[peer] - given[wallet])


def clusters(values: Mapping[str, float]) -> dict[str, int]:
    """Return the cluster of each value: k-means in one dimension, begun at even quantiles."""
    line = sorted(values.values())
    centres = [line[(2 * n + 1) * len(line) // (2 * CLUSTERS)] for n in range(CLUSTERS)]
    found: dict[str, int] = {}
    for _ in range(ROUNDS):
        found = {
            name: min(range(CLUSTERS), key=lambda n, v=value: abs(v - centres[n]))  # type: ignore[misc]
            for name, value in values.items()
        }
        for n in range(CLUSTERS):
            held = [values[name] for name, cluster in found.items() if cluster == n]
            centres[n] = sum(held) / len(held) if held else centres[n]
    return found


def _given(donations: Sequence[Donation]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for each in donations:
        found[each.wallet].add(each.project)
    return found
