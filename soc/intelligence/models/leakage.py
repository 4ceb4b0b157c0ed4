"""Ways in which a target gets into what it is to be foretold from: looked for before any training.

Kaufman, Rosset and Perlich, "Leakage in Data Mining", 2012: a target must not be legitimate to know
when the forecast is made. A model that looks too good is told why, not published.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from soc.detect.strangeness.measure import roc_area
from soc.errors import Unfit
from soc.intelligence.models.folds import Fold, groups_of
from soc.intelligence.models.task import Data, Kind, Matrix

TOO_GOOD = 0.98
"""No honest feature alone orders users this well: AUC, or rank correlation."""
COMPUTED = 0.995
"""Accuracy, or share of variance, of a small tree on users that it has not seen."""
MOST_COMMON = 0.97
"""Above this share of one class, accuracy says nothing of the kind."""
USED = 0.01
"""Share of a tree that is worth naming."""
TWINS = 0.01
"""Share of judged rows that may be copies of rows to learn from."""
LEAST_JUDGED = 100


@dataclass(frozen=True, slots=True)
class Leak:
    """One way. kind: alone, computed, twins, scaled, future or same user. why: with numbers."""

    kind: str
    why: str


def leaks(data: Data, folds: Sequence[Fold]) -> list[Leak]:
    """Return how the target of *data* could get into training with *folds*; none is the aim."""
    return [
        *_alone(data),
        *_computed(data),
        *_scaled(data),
        *(leak for fold in folds for leak in _crossing(data, fold)),
        *_twins(data, folds),
    ]


def refuse(found: Sequence[Leak]) -> None:
    """Raise Unfit, with every reason, if anything leaks."""
    if found:
        told = "; ".join(f"{leak.kind}: {leak.why}" for leak in found)
        raise Unfit(f"the target leaks into what it is foretold from: {told}")


def _alone(data: Data) -> Iterator[Leak]:
    from scipy.stats import spearmanr  # heavy: only where models are made

    for name, column in zip(data.names, _filled(data.X).T, strict=True):
        if data.task.kind is Kind.CLASSIFICATION:
            found = roc_area(data.y.astype(np.int8), column)
            strength, measured = max(found, 1 - found), "AUC"
        else:
            strength, measured = abs(float(spearmanr(column, data.y)[0])), "rank correlation"
        if strength >= TOO_GOOD:
            yield Leak("alone", f"{name} foretells the target by itself, {measured} {strength:.3f}")


def _computed(data: Data) -> Iterator[Leak]:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # as above

    is_class = data.task.kind is Kind.CLASSIFICATION
    share = float(data.y.mean())
    if is_class and max(share, 1 - share) > MOST_COMMON:
        return
    made = (
        DecisionTreeClassifier(max_depth=4, random_state=0)
        if is_class
        else DecisionTreeRegressor(max_depth=8, random_state=0)
    )
    rows, half = _filled(data.X), groups_of(data.wallets, 2) == 0
    if min(half.sum(), (~half).sum()) < LEAST_JUDGED // 2 or len(np.unique(data.y[half])) == 1:
        return
    got = float(made.fit(rows[half], data.y[half]).score(rows[~half], data.y[~half]))
    if got >= COMPUTED:
        used = [
            name
            for name, part in zip(data.names, made.feature_importances_, strict=True)
            if part > USED
        ]
        what = "accuracy" if is_class else "share of variance"
        yield Leak("computed", f"a small tree of {', '.join(used)} gives it back, {what} {got:.3f}")


def _scaled(data: Data) -> Iterator[Leak]:
    means, spreads = np.nanmean(data.X, axis=0), np.nanstd(data.X, axis=0)
    is_scaled = (np.abs(means) < 1e-6) & (np.abs(spreads - 1) < 1e-6)  # noqa: PLR2004 - rounding
    if is_scaled.mean() > 0.5:  # noqa: PLR2004 - most
        names = [name for name, yes in zip(data.names, is_scaled, strict=True) if yes]
        yield Leak(
            "scaled",
            f"{len(names)} columns have mean 0 and spread 1 over all rows, those to judge by "
            "included: give them as they are, each fold scales for itself",
        )


def _crossing(data: Data, fold: Fold) -> Iterator[Leak]:
    window = data.task.window.total_seconds() * 1e6
    latest = data.moments[fold.train].max(initial=0) + window
    if latest > data.moments[fold.test].min():
        yield Leak(
            "future", "rows to learn from have windows that end after rows to judge by begin"
        )
    both = np.intersect1d(data.wallets[fold.train], data.wallets[fold.test])
    if len(both):
        yield Leak("same user", f"{len(both)} users are in both halves of a split")


def _twins(data: Data, folds: Sequence[Fold]) -> Iterator[Leak]:
    copies = judged = 0
    whole = np.column_stack([np.nan_to_num(data.X, nan=-1.0), data.y])
    for fold in folds:
        known = {row.tobytes() for row in whole[fold.train]}
        copies += sum(row.tobytes() in known for row in whole[fold.test])
        judged += len(fold.test)
    if judged >= LEAST_JUDGED and copies > judged * TWINS:
        yield Leak(
            "twins", f"{copies} of {judged} rows to judge by are copies of rows to learn from"
        )


def _filled(rows: Matrix) -> Matrix:
    return np.where(np.isnan(rows), np.nanmedian(rows, axis=0), rows)
