"""What is measured of units after they were exposed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from soc.errors import Refused, Unfit
from soc.intelligence.experiments.assign import Exposure
from soc.intelligence.experiments.estimate import Floats

KEPT = 0.99
"""Amounts above this quantile of those who gave are taken for it."""


class Shape(StrEnum):
    """What a metric is of units: the share that did it, a mean, or a ratio of two sums."""

    SHARE = "share"
    MEAN = "mean"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. rises: whether more is better. y, over: columns of outcomes."""

    name: str
    shape: Shape
    meaning: str
    y: str
    over: str = ""
    rises: bool = True
    is_money: bool = False


METRICS = MappingProxyType(
    {
        one.name: one
        for one in (
            Metric("conversion", Shape.SHARE, "share of units that gave", "gave"),
            Metric("gifts", Shape.MEAN, "gifts per unit", "gifts"),
            Metric("projects", Shape.MEAN, "projects per unit", "projects"),
            Metric("amount", Shape.MEAN, "amount per unit", "amount", is_money=True),
            Metric(
                "amount-per-gift", Shape.RATIO, "amount per gift", "amount", "gifts", is_money=True
            ),
            Metric(
                "taken-back",
                Shape.RATIO,
                "share of gifts that the chain took back",
                "removed",
                "told",
                rises=False,
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Capped:
    """What winsorising did. cap: the greatest amount left. share: of units that were above it.

    cut: the share of the whole amount that is not counted.
    """

    cap: float
    share: float
    cut: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of units, in the order in which they were exposed: y, over x for a ratio."""

    arms: Sequence[str]
    y: Floats
    x: Floats | None
    capped: Capped | None

    def of(self, arm: str) -> tuple[Floats, Floats | None]:
        """Return y and x of the units of *arm*."""
        mine = np.array([each == arm for each in self.arms], dtype=bool)
        return self.y[mine], None if self.x is None else self.x[mine]


def metric_of(name: str) -> Metric:
    """Return a metric; raises Refused naming those that there are."""
    if name not in METRICS:
        raise Refused(f"no metric {name}: known are {', '.join(METRICS)}")
    return METRICS[name]


def measured(
    metric: Metric,
    exposures: Mapping[str, Exposure],
    transactions: pa.Table,
    currency: str | None = None,
    decimals: int = 0,
) -> Measured:
    """Return *metric* of all exposed units, from what they did after they were exposed.

    Amounts are of one currency; raises Unfit where there are several and none is named.
    """
    order = sorted(exposures.values(), key=lambda one: (one.at, one.unit))
    if metric.is_money:
        transactions = _of_currency(transactions, currency)
    columns = _columns(order, transactions, 10.0**decimals)
    y, capped = columns[metric.y], None
    if metric.is_money:
        y, capped = winsorised(y)
    x = columns[metric.over] if metric.over else None
    return Measured([one.arm for one in order], y, x, capped)


def winsorised(values: Floats, kept: float = KEPT) -> tuple[Floats, Capped | None]:
    """Return *values* without what the greatest are above the quantile *kept* of those above 0.

    One donor must not decide an experiment. The cap is of all arms together.
    """
    above = values[values > 0]
    if not len(above):
        return values, None
    cap = float(np.quantile(above, kept, method="inverted_cdf"))
    made = np.minimum(values, cap)
    share, cut = float((values > cap).mean()), 1 - float(made.sum() / values.sum())
    return made, Capped(cap, share, cut)


def _of_currency(transactions: pa.Table, currency: str | None) -> pa.Table:
    known = sorted(set(transactions["currency"].to_pylist()))
    if currency is None and len(known) > 1:
        raise Unfit(f"amounts are in {', '.join(known)}: name one with --currency")
    wanted = currency or (known[0] if known else "")
    mine = [each == wanted for each in transactions["currency"].to_pylist()]
    return transactions.filter(pa.array(mine, pa.bool_()))


def _columns(
    order: Sequence[Exposure], transactions: pa.Table, unit: float
) -> Mapping[str, Floats]:
    """Return what each unit did, by name; what the chain took back is told, not given."""
    place = {one.unit: number for number, one in enumerate(order)}
    names = ("gave", "gifts", "projects", "amount", "removed", "told")
    made = {name: np.zeros(len(order)) for name in names}
    seen: set[tuple[int, str]] = set()
    columns = ("wallet", "project", "amount", "made", "removed_known")
    for wallet, project, amount, at, removed in zip(
        *(transactions[name].to_pylist() for name in columns), strict=True
    ):
        number = place.get(wallet)
        if number is None or at < order[number].at:
            continue
        made["told"][number] += 1
        if removed is not None:
            made["removed"][number] += 1
            continue
        made["gave"][number] = 1
        made["gifts"][number] += 1
        made["amount"][number] += float(amount) / unit
        if (number, project) not in seen:
            seen.add((number, project))
            made["projects"][number] += 1
    return MappingProxyType(made)
