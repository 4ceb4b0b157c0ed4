"""What the data say before any model: shares, times, amounts, what is missing and what moved."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from soc.detect.strangeness.drift import drift
from soc.incidents.kpis.statistics import Spread, wilson
from soc.intelligence.features.build import Frame, transactions
from soc.intelligence.models.task import matrix_of
from soc.intelligence.view.keep import View
from soc.model.value import moment_of, rfc3339

Plain = dict[str, Any]
DAY = 86_400_000_000
LEAST_TO_COMPARE = 20
"""Users of each window: of fewer nothing can be said to have moved."""
BARS = 12
MILLI = 1_000


def explore(view: View, frame: Frame, before: Frame | None, decimals: int = 0) -> Plain:
    """Return what there is to know of the users and transactions of *frame*, as JSON values.

    before: the users of the window before, to see what has moved; None where there was none.
    """
    rows = transactions(view, frame, decimals)
    return {
        "as_of": rfc3339(frame.as_of),
        "currency": frame.currency,
        "fresh": rfc3339(frame.fresh),
        "users": _statuses(frame),
        "set_aside": dict(view.manifest.refused),
        "completion": _share(rows["is_confirmed"]),
        "suspicious": _share(rows["is_suspicious"]),
        "finality_s": _times(rows["final_s"]),
        "event_lag_s": _times(rows["lag_s"]),
        "amounts": _amounts(rows["amount"]),
        "days": _days(rows),
        "missing": _missing(frame),
        "correlations": _correlations(frame),
        "drift": _moved(frame, before),
    }


def _statuses(frame: Frame) -> Plain:
    found = frame.table["status"].to_pylist()
    return {"all": len(found), **{s: found.count(s) for s in ("active", "inactive", "flagged")}}


def _share(column: pa.ChunkedArray) -> Plain:
    hits, n = sum(column.to_pylist()), len(column)
    low, high = wilson(hits, n)
    return {"n": n, "value": hits / n, "low": low, "high": high}


def _times(column: pa.ChunkedArray) -> Plain:
    """Return mean and quantiles of seconds, the median with an interval."""
    seconds = [value for value in column.to_pylist() if value is not None]
    spread = Spread((round(value * MILLI), 1) for value in seconds)
    if not spread.n:
        return {"n": 0, "missing": column.null_count}
    interval = spread.interval(50)
    return {
        "n": spread.n,
        "missing": column.null_count,
        "mean": spread.mean / MILLI,
        "median": spread.quantile(50) / MILLI,
        "low": interval.low / MILLI if interval else None,
        "high": interval.high / MILLI if interval else None,
        "p95": spread.quantile(95) / MILLI,
    }


def _amounts(column: pa.ChunkedArray) -> Plain:
    values = np.asarray(column.to_numpy(), dtype=np.float64)
    return {
        "n": len(values),
        "total": float(values.sum()),
        "mean": float(values.mean()),
        "deviation": float(values.std(ddof=1)) if len(values) > 1 else None,
        "quartiles": [float(q) for q in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])],
        "nothing": int(np.sum(values == 0)),
        "histogram": _histogram(values[values > 0]),
    }


def _histogram(values: npt.NDArray[np.float64]) -> list[Plain]:
    """Return how many of *values* lie in each of BARS parts of equal ratio."""
    if not len(values):
        return []
    counts, edges = np.histogram(np.log10(values), BARS)
    ends = (10**edges).tolist()
    parts = zip(counts.tolist(), ends[:-1], ends[1:], strict=True)
    return [{"from": low, "to": high, "n": n} for n, low, high in parts]


def _days(rows: pa.Table) -> list[Plain]:
    days = np.asarray(rows["made_us"]) // DAY
    confirmed = np.array(rows["is_confirmed"].to_pylist(), dtype=bool)
    wallets = np.array(rows["wallet"].to_pylist())
    return [
        {
            "day": rfc3339(moment_of(int(day) * DAY))[:10],
            "transactions": int(np.sum(days == day)),
            "confirmed": int(np.sum(confirmed & (days == day))),
            "users": len(np.unique(wallets[days == day])),
        }
        for day in range(int(days.min()), int(days.max()) + 1)
    ]


def _missing(frame: Frame) -> list[Plain]:
    users = frame.table.num_rows
    found = [(name, frame.table[name].null_count) for name in frame.names]
    return [{"feature": name, "n": n, "share": n / users} for name, n in found if n]


def _correlations(frame: Frame) -> Plain:
    """Return Spearman's rank correlation of each pair of features, of users who have both."""
    from scipy.stats import spearmanr  # heavy: only where data are explored

    matrix = matrix_of(frame)
    table: list[list[float | None]] = [[None] * len(frame.names) for _ in frame.names]
    for one in range(len(frame.names)):
        for other in range(one + 1):
            pair = matrix[:, [one, other]]
            both = pair[~np.isnan(pair).any(axis=1)]
            if len(both) > 2 and np.ptp(both, axis=0).all():  # noqa: PLR2004 - two are a line
                found = float(spearmanr(both[:, 0], both[:, 1])[0]) if one != other else 1.0
                table[one][other] = table[other][one] = found
    return {"names": frame.names, "spearman": table}


def _moved(frame: Frame, before: Frame | None) -> list[Plain]:
    if before is None:
        return []
    told: list[Plain] = []
    columns = zip(frame.names, matrix_of(frame).T, matrix_of(before).T, strict=True)
    for name, now, then in columns:
        rows, reference = _there(now), _there(then)
        if min(len(rows), len(reference)) < LEAST_TO_COMPARE:
            told.append(
                {"column": name, "level": None, "rows": len(rows), "reference": len(reference)}
            )
            continue
        (one,) = drift(rows, reference, [name])
        told.append(
            {
                "column": name,
                "level": one.level.value,
                "index": one.index,
                "chance": one.chance,
                "rows": one.rows,
                "reference": one.reference,
            }
        )
    return told


def _there(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return column[~np.isnan(column)][:, None]
