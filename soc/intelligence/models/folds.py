"""Splits that let nothing of the future, and nothing of the same user, into training."""

from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from soc.errors import Unfit
from soc.intelligence.models.task import Data

Rows = npt.NDArray[np.int64]
GROUPS = 4


class Fold(NamedTuple):
    """Places of rows to learn from and of rows to judge by."""

    train: Rows
    test: Rows


def groups_of(wallets: npt.NDArray[np.str_], number: int = GROUPS) -> Rows:
    """Return the group of each row: all rows of a wallet are in the same one, always."""
    return np.array([crc32(name.encode()) % number for name in wallets.tolist()])


def folds(data: Data, tested: int = 1) -> list[Fold]:
    """Return the folds: each row of the *tested* last moments is judged once.

    Rows to learn from are of other wallets, and of moments whose windows were over when the moment
    of the judged rows came. Raises Unfit if there is none of either class to learn from.
    """
    found = list(_folds(data, tested))
    for fold in found:
        if len(np.unique(data.y[fold.train])) < 2:  # noqa: PLR2004 - something and its opposite
            raise Unfit(
                f"all {len(fold.train)} rows before the last {tested} moments have one target: "
                "take more --moments or another --window"
            )
    return found


def _folds(data: Data, tested: int) -> Iterator[Fold]:
    groups = groups_of(data.wallets)
    window = data.task.window.total_seconds() * 1e6
    for moment in np.unique(data.moments)[-tested:]:
        over = data.moments + window <= moment
        for group in range(GROUPS):
            test = np.flatnonzero((data.moments == moment) & (groups == group))
            train = np.flatnonzero(over & (groups != group))
            if len(test):
                yield Fold(train, test)


def inner(data: Data, train: Rows) -> Fold:
    """Return a split of *train* by wallet, to choose a threshold without the rows to judge by."""
    held_back = groups_of(np.char.add(data.wallets[train], "/inner"), 3) == 0
    return Fold(train[~held_back], train[held_back])
