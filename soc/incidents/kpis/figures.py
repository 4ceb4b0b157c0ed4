"""From rows to figures: how a share, a duration, a quantile, a sum is made."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from soc.incidents.kpis.rows import Rows
from soc.incidents.kpis.statistics import Interval, Spread, wilson

SECOND = 1_000_000


class Figure(NamedTuple):
    """What rows come to. n: what it is made of. value: None with a reason.

    low, high, method: the 95 % interval and how it was made, where there is one. mean, median,
    p90: of durations. parts: the same figure for each part, such as a rule.
    """

    n: int
    value: float | None = None
    reason: str = ""
    low: float | None = None
    high: float | None = None
    method: str = ""
    mean: float | None = None
    median: float | None = None
    p90: float | None = None
    parts: tuple[dict[str, Any], ...] = ()


Make = Callable[[Rows], Figure]


def duration(start: str, end: str) -> Make:
    """Return what makes the median of *end* less *start*, in seconds, of rows that have both."""

    def make(found: Rows) -> Figure:
        spans = [
            ((row[end] - row[start]) / SECOND, 1)
            for row in found.rows
            if row[start] is not None and row[end] is not None
        ]
        if not spans:
            missing = f"of {len(found.rows):,} incidents none has both moments yet"
            return Figure(0, reason=missing if found.rows else "no incident was made in the window")
        return _spread(Spread(spans), 50)

    return make


def quantile(column: str, count: str, percent: int, empty: str, scale: float = 1.0) -> Make:
    """Return what makes a quantile of *column*, each seen *count* times, divided by *scale*."""

    def make(found: Rows) -> Figure:
        spread = Spread((row[column] / scale, row[count]) for row in found.rows)
        return _spread(spread, percent) if spread.n else Figure(0, reason=empty)

    return make


def share(hits: Callable[[dict[str, Any]], int], empty: str, weight: str = "") -> Make:
    """Return what makes the share of *hits*, of rows or of the sum of their column *weight*."""

    def make(found: Rows) -> Figure:
        n = sum(row[weight] for row in found.rows) if weight else len(found.rows)
        return _share(sum(hits(row) for row in found.rows), n) if n else Figure(0, reason=empty)

    return make


def count(found: Rows) -> Figure:
    """Return how many rows there are: none is a figure, too."""
    return Figure(len(found.rows), float(len(found.rows)))


def counted(empty: str) -> Make:
    """Return what makes the number of rows, where none is no data."""

    def make(found: Rows) -> Figure:
        return count(found) if found.rows else Figure(0, reason=empty)

    return make


def total(column: str, empty: str) -> Make:
    """Return what makes the sum of *column*."""

    def make(found: Rows) -> Figure:
        n = sum(row[column] for row in found.rows)
        return Figure(n, float(n)) if found.rows else Figure(0, reason=empty)

    return make


def largest(column: str, counted: str, empty: str, scale: float = 1.0) -> Make:
    """Return what makes the largest *column*, of rows that stand for *counted* each."""

    def make(found: Rows) -> Figure:
        n = sum(row[counted] for row in found.rows)
        known = [row[column] for row in found.rows if row[column] is not None]
        return Figure(n, max(known) / scale) if known else Figure(n, reason=empty)

    return make


def precision(found: Rows) -> Figure:
    """Return the share of true among true and false positives, and the same for each rule.

    Over all, an incident counts once; for a rule, once for each incident that it has an alert in.
    """
    by_rule: dict[str, list[str]] = {}
    by_incident: dict[int, str] = {}
    for row in found.rows:
        by_rule.setdefault(row["rule"], []).append(row["verdict"])
        by_incident[row["incident"]] = row["verdict"]
    parts = tuple(_rule(rule, by_rule[rule]) for rule in sorted(by_rule))
    said = list(by_incident.values())
    true, false = said.count("true_positive"), said.count("false_positive")
    if not true + false:
        return Figure(0, reason="no incident was found true or false in the window", parts=parts)
    return _share(true, true + false)._replace(parts=parts)


def _rule(rule: str, said: Sequence[str]) -> dict[str, Any]:
    true, false = said.count("true_positive"), said.count("false_positive")
    n = true + false
    interval = wilson(true, n) if n else None
    return {
        "rule": rule,
        "n": n,
        "true_positive": true,
        "benign_positive": said.count("benign_positive"),
        "false_positive": false,
        "value": true / n if n else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }


def _share(hits: int, n: int) -> Figure:
    interval = wilson(hits, n)
    return Figure(n, hits / n, low=interval.low, high=interval.high, method="wilson")


def _spread(spread: Spread, percent: int) -> Figure:
    interval: Interval | None = spread.interval(percent)
    return Figure(
        spread.n,
        spread.quantile(percent),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        method="bootstrap" if interval else "",
        mean=spread.mean,
        median=spread.quantile(50),
        p90=spread.quantile(90),
    )
