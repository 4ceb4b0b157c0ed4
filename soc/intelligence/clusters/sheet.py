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
    wallets = tuple(frame.table["wallet"].to_pylist())
    return of_rows(wallets, names, raw_of(frame, names), scaling)


def raw_of(frame: Frame, names: Sequence[str]) -> Matrix:
    """Return the columns *names* of *frame*, NaN where missing."""
    columns = [frame.table[name].to_numpy().astype(np.float64) for name in names]
    return np.column_stack(columns) if columns else np.empty((frame.table.num_rows, 0))


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


def useless(names: Sequence[str], raw: Matrix) -> dict[str, str]:
    """Return the columns of *raw* by which nobody can be told apart, each with the reason."""
    found = {}
    for name, column in zip(names, raw.T, strict=True):
        missing = int(np.isnan(column).sum())
        if missing > MOST_MISSING * len(raw):
            found[name] = f"missing for {missing} of {len(raw)}"
        elif _is_flat(column):
            found[name] = "constant"
    return found


def _check(names: Sequence[str], raw: Matrix) -> None:
    if len(raw) < LEAST_ROWS:
        raise Unfit(f"too few users: {len(raw)}; at least {LEAST_ROWS} are needed")
    if len(names) < LEAST_COLUMNS:
        raise Unfit(f"{len(names)} features are left: at least {LEAST_COLUMNS} are needed")
    if infinite := [n for n, column in zip(names, raw.T, strict=True) if np.isinf(column).any()]:
        raise Unfit(f"infinite values in {', '.join(infinite)}")
    if bad := useless(names, raw):
        words = ", ".join(f"{name} ({reason})" for name, reason in bad.items())
        options = " ".join(f"--without {name}" for name in bad)
        raise Unfit(f"features that tell nobody apart: {words}: add {options}")


def _is_flat(column: Matrix) -> bool:
    there = column[~np.isnan(column)]
    return bool(np.all(there == there[:1]))
