"""Look for groups of users, and say that there are none unless four things speak for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from soc.errors import Unfit
from soc.incidents.kpis.statistics import Interval, wilson
from soc.intelligence.carts import Flags
from soc.intelligence.clusters.chance import DRAWS, NULLS, Null, Stability, null, stability
from soc.intelligence.clusters.density import Dense, dense
from soc.intelligence.clusters.partition import (
    Division,
    Labels,
    best_of,
    divisions,
    elbow,
    nearest,
)
from soc.intelligence.clusters.plane import Plane, plane
from soc.intelligence.clusters.sheet import Matrix, Sheet

FLOOR = 0.25
"""L. Kaufman, P. Rousseeuw, "Finding Groups in Data", 1990: up to it is nothing to speak of."""
STABLE = 0.75
"""C. Hennig, 2007: a group with a lower mean overlap is not one that is really there."""
MOST_ROWS = 1_000
"""Of more users so many are drawn to look for groups in; the rest joins the nearest."""


@dataclass(frozen=True, slots=True)
class Study:
    """All that was found out. sampled: places of the rows that groups were sought in.

    objections: what speaks against groups; without any there are. labels: of all rows, and meant
    only if there are groups. elbow: the k at which inertia bends, to compare.
    """

    sheet: Sheet
    sampled: Labels
    curve: tuple[Division, ...]
    elbow: int
    best: Division
    nulls: tuple[Null, ...]
    stability: Stability
    objections: tuple[str, ...]
    labels: Labels
    dense: Dense
    plane: Plane

    @property
    def is_found(self) -> bool:
        """Whether there are groups."""
        return not self.objections

    @property
    def verdict(self) -> str:
        """What was found, in words with numbers."""
        if self.objections:
            return f"no clusters: {'; '.join(self.objections)}"
        reached = ", ".join(f"{one.reached:.3f} of {one.name}" for one in self.nulls)
        return (
            f"{self.best.k} clusters: silhouette {self.best.silhouette:.3f} is above {FLOOR} and "
            f"95 % of what has none ({reached}), and resamples find them again: overlap at least "
            f"{min(self.stability.jaccard):.2f}"
        )


@dataclass(frozen=True, slots=True)
class Share:
    """Members of whom something is true."""

    hits: int
    of: int
    interval: Interval


@dataclass(frozen=True, slots=True)
class Profile:
    """One group. centroid: the mean of each feature in its unit, of those who have an answer.

    unlike: the features in which its centre is farthest from that of all, in units of the scale.
    """

    cluster: int
    size: int
    centroid: dict[str, float]
    unlike: dict[str, float]
    stability: float
    shares: dict[str, Share]


def study(sheet: Sheet, seed: int, draws: int = DRAWS) -> Study:
    """Return what groups there are among the rows of *sheet*; raises Unfit if all are the same.

    draws: of rows without groups, for each kind, and of resamples.
    """
    import sklearn.cluster  # heavy, and its threads can be limited only once they are there
    from threadpoolctl import threadpool_limits  # of scikit-learn: sums depend on threads

    rng = np.random.default_rng(seed)
    number = min(len(sheet), MOST_ROWS)
    sampled = np.sort(rng.choice(len(sheet), number, replace=False))
    rows = sheet.rows[sampled]
    with (
        threadpool_limits(1),
        sklearn.config_context(assume_finite=True, skip_parameter_validation=True),
    ):
        curve = divisions(rows, seed)
        if not curve:
            raise Unfit(f"{len(sheet)} users are the same in {', '.join(sheet.names)}")
        best = best_of(curve)
        nulls = tuple(null(name, rows, best.silhouette, seed, draws) for name in NULLS)
        again = stability(rows, best.labels, seed, draws)
        return Study(
            sheet,
            sampled,
            tuple(curve),
            elbow(rows, curve),
            best,
            nulls,
            again,
            tuple(_objections(best, nulls, again)),
            nearest(sheet.rows, best.centres),
            dense(rows),
            plane(sheet.rows),
        )


def profiles(found: Study, facts: Mapping[str, Flags]) -> list[Profile]:
    """Return what each group is like; of *facts*, the share of members for whom each is true.

    Without groups there is nothing to describe.
    """
    if not found.is_found:
        return []
    return [_profile(found, facts, group) for group in range(found.best.k)]


def _objections(best: Division, nulls: tuple[Null, ...], again: Stability) -> Iterator[str]:
    reached = f"silhouette {best.silhouette:.3f} of the best k, {best.k},"
    if best.silhouette <= FLOOR:
        yield f"{reached} is not above {FLOOR}"
    for one in nulls:
        if best.silhouette <= one.reached:
            yield f"{reached} is not above {one.reached:.3f}, below which 95 % of {one.name} are"
    worst = min(again.jaccard)
    if worst < STABLE:
        yield f"a group overlaps with what resamples find by {worst:.2f}, which is below {STABLE}"


def _profile(found: Study, facts: Mapping[str, Flags], group: int) -> Profile:
    inside = found.labels == group
    sheet, size = found.sheet, int(inside.sum())
    away = sheet.rows[inside].mean(axis=0) - sheet.rows.mean(axis=0)
    farthest = np.argsort(-np.abs(away), kind="stable")[:3].tolist()
    shares = {
        name: Share(hits := int(fact[inside].sum()), size, wilson(hits, size))
        for name, fact in facts.items()
    }
    return Profile(
        group,
        size,
        dict(zip(sheet.names, _means(sheet.raw[inside]), strict=True)),
        {sheet.names[place]: float(away[place]) for place in farthest},
        found.stability.jaccard[group],
        shares,
    )


def _means(raw: Matrix) -> list[float]:
    there = ~np.isnan(raw)
    number = there.sum(axis=0)
    sums = np.where(there, raw, 0).sum(axis=0)
    found = np.full(raw.shape[1], np.nan)
    np.divide(sums, number, out=found, where=number > 0)
    return [float(mean) for mean in found]
