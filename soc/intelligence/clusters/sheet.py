"""Rows to be grouped: chosen features in units of their own, with what was missing said."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from soc.detect.strangeness.scale import scale_of
from soc.errors import Refused, Unfit
from soc.intelligence.features.build import Frame

Matrix = npt.NDArray[np.float64]
LEAST_ROWS, LEAST_COLUMNS = 50, 2
MOST_MISSING = 0.5


class Scaling(StrEnum):
    """What a column is measured in.

    robust: its middle half, and its logarithm far beyond, so that no outlier makes a group.
    standard: standard deviations.
    """

    ROBUST = "robust"
    STANDARD = "standard"


class Filled(NamedTuple):
    """A feature that some users have no answer for, how many, and the median they were given."""

    feature: str
    missing: int
    median: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """Users by feature. raw: in the units of features, NaN where missing. rows: as compared."""

    wallets: tuple[str, ...]
    names: tuple[str, ...]
    raw: Matrix
    rows: Matrix
    scaling: Scaling
    filled: tuple[Filled, ...]

    def __len__(self) -> int:
        return len(self.rows)


def sheet(frame: Frame, without: Sequence[str] = (), scaling: Scaling = Scaling.ROBUST) -> Sheet:
    """Return the features of *frame*, but those named, ready to be compared.

    Raises Refused for names that are no feature, and Unfit, for all columns at once, where they
    cannot be compared.
    """
    if unknown := sorted(set(without) - set(frame.names)):
        raise Refused(f"--without {', '.join(unknown)}: the features are {', '.join(frame.names)}")
    names = tuple(name for name in frame.names if name not in without)
    columns = [frame.table[name].to_numpy().astype(np.float64) for name in names]
    wallets = tuple(frame.table["wallet"].to_pylist())
    raw = np.column_stack(columns) if columns else np.empty((len(wallets), 0))
    return of_rows(wallets, names, raw, scaling)


def of_rows(
    wallets: tuple[str, ...], names: tuple[str, ...], raw: Matrix, scaling: Scaling
) -> Sheet:
    """Return *raw* rows as a sheet; raises Unfit where they cannot be compared."""
    _check(names, raw)
    missing = np.isnan(raw)
    medians = np.nanmedian(raw, axis=0)
    filled = tuple(
        Filled(name, int(missing[:, n].sum()), float(medians[n]))
        for n, name in enumerate(names)
        if missing[:, n].any()
    )
    whole = np.where(missing, medians, raw)
    if scaling is Scaling.ROBUST:
        rows = scale_of(whole).apply(whole)
    else:
        rows = (whole - whole.mean(axis=0)) / whole.std(axis=0)
    return Sheet(wallets, names, raw, rows, scaling, filled)


def _check(names: Sequence[str], raw: Matrix) -> None:
    if len(raw) < LEAST_ROWS:
        raise Unfit(f"too few users: {len(raw)}; at least {LEAST_ROWS} are needed")
    if len(names) < LEAST_COLUMNS:
        raise Unfit(f"{len(names)} features are left: at least {LEAST_COLUMNS} are needed")
    columns = list(zip(names, raw.T, strict=True))
    if infinite := [name for name, column in columns if np.isinf(column).any()]:
        raise Unfit(f"infinite values in {', '.join(infinite)}")
    missing = [(name, int(np.isnan(column).sum())) for name, column in columns]
    bad = [
        f"{name} (missing for {number} of {len(raw)})"
        for name, number in missing
        if number > MOST_MISSING * len(raw)
    ]
    few = {name for name, number in missing if number <= MOST_MISSING * len(raw)}
    bad += [f"{name} (constant)" for name, column in columns if name in few and _is_flat(column)]
    if bad:
        options = " ".join(f"--without {one.partition(' ')[0]}" for one in bad)
        raise Unfit(f"features that tell nobody apart: {', '.join(bad)}: add {options}")


def _is_flat(column: Matrix) -> bool:
    there = column[~np.isnan(column)]
    return bool(np.all(there == there[0]))
