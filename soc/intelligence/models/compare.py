"""Compare models on rows that none of them has seen, with each other and with what needs none."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soc.clock import monotonic
from soc.intelligence.holm import holm
from soc.intelligence.models import catalog, leakage, measure
from soc.intelligence.models.folds import Fold, Rows, folds, inner
from soc.intelligence.models.measure import Figure
from soc.intelligence.models.task import Data, Kind, Matrix

Chosen = npt.NDArray[np.bool_]
MAJORITY, LAST = "majority", "last value"
ASKED = 60
"""Single forecasts that are timed."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one model says of every judged row. chosen: called yes, at thresholds from training.

    fitted: the model of each fold. notes: what went less than well.
    """

    name: str
    about: str
    scores: Matrix
    chosen: Chosen
    latency_ms: float = 0.0
    fitted: tuple[catalog.Model, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contrast:
    """How much better *name* is than *other*: above 0 is better, by the leading figure.

    p: that it is not, by drawing users; adjusted: for that there are several such questions.
    """

    name: str
    other: str
    difference: Figure
    p: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was found out. judged: places of the rows in *data*, in the order of scores."""

    data: Data
    folds: tuple[Fold, ...]
    judged: Rows
    forecasts: tuple[Forecast, ...]
    drawn: Matrix
    figures: dict[str, dict[str, Figure]]
    contrasts: tuple[Contrast, ...]
    exact: dict[str, float]
    best: str
    baseline: str

    @property
    def leading(self) -> str:
        """The figure that decides: ap for classes, mae for numbers."""
        return leading_of(self.data)

    @property
    def y(self) -> Matrix:
        """The targets of the judged rows."""
        return self.data.y[self.judged]

    @property
    def is_better(self) -> bool:
        """Whether the best model is better than the best baseline, beyond chance."""
        found = [one for one in self.contrasts if one.other == self.baseline]
        return any(one.name == self.best and one.difference.low > 0 for one in found)

    def forecast(self, name: str) -> Forecast:
        """Return what the model or baseline called *name* said."""
        return next(one for one in self.forecasts if one.name == name)


def leading_of(data: Data) -> str:
    """Return the figure that decides."""
    return "ap" if data.task.kind is Kind.CLASSIFICATION else "mae"


def compare(data: Data, seed: int, names: Iterable[str] = catalog.MAKERS) -> Comparison:
    """Return how the models *names* and the baselines do on *data*; raises Unfit where it leaks."""
    split = folds(data)
    leakage.refuse(leakage.leaks(data, split))
    judged = np.concatenate([fold.test for fold in split])
    models = [_forecast(data, split, name, seed) for name in names]
    simple = _baselines(data, split)
    drawn = measure.weights(data.wallets[judged], seed)
    y = data.y[judged]
    every = {one.name: _drawn(data, y, one, drawn) for one in (*models, *simple)}
    sign, lead = (1, "ap") if leading_of(data) == "ap" else (-1, "mae")
    ranked = {name: sign * figures[lead] for name, figures in every.items()}
    best = max((one.name for one in models), key=lambda name: ranked[name][0])
    baseline = max((one.name for one in simple), key=lambda name: ranked[name][0])
    pairs = [(one.name, baseline) for one in models]
    pairs += [(best, one.name) for one in models if one.name != best]
    return Comparison(
        data=data,
        folds=tuple(split),
        judged=judged,
        forecasts=(*models, *simple),
        drawn=drawn,
        figures={name: measure.figures(figures) for name, figures in every.items()},
        contrasts=_contrasts(ranked, pairs),
        exact=_exact(data, y, models, simple[0]),
        best=best,
        baseline=baseline,
    )


def _forecast(data: Data, split: Sequence[Fold], name: str, seed: int) -> Forecast:
    fitted, scores, chosen, notes = [], [], [], set[str]()
    for fold in split:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = _fit(data, fold.train, name, seed)
            threshold = _threshold(data, fold, name, seed)
        notes |= {str(one.message).partition("\n")[0] for one in caught}
        fitted.append(model)
        scores.append(predict(data.task.kind, model, data.X[fold.test]))
        chosen.append(scores[-1] >= threshold)
    about = catalog.available()[name]
    took = _latency(data, fitted[0], split[0].test)
    whole, called = np.concatenate(scores), np.concatenate(chosen)
    return Forecast(name, about, whole, called, took, tuple(fitted), tuple(sorted(notes)))


def _fit(data: Data, rows: Rows, name: str, seed: int) -> catalog.Model:
    model = catalog.make(name, data.task.kind, seed)
    return model.fit(data.X[rows], data.y[rows])


def predict(kind: Kind, model: catalog.Model, rows: Matrix) -> Matrix:
    """Return the probability of yes, or the amount, of each of *rows*."""
    if kind is Kind.CLASSIFICATION:
        return np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64)
    return np.asarray(model.predict(rows), dtype=np.float64)


def _threshold(data: Data, fold: Fold, name: str, seed: int) -> float:
    """Return from which probability on F1 is highest on training rows that were held back."""
    if data.task.kind is Kind.REGRESSION:
        return np.inf
    part = inner(data, fold.train)
    if not len(part.test) or len(np.unique(data.y[part.train])) == 1:
        return 0.5
    scores = predict(data.task.kind, _fit(data, part.train, name, seed), data.X[part.test])
    return best_threshold(data.y[part.test], scores)


def best_threshold(y: Matrix, scores: Matrix) -> float:
    """Return the score from which on F1 is highest, at the middle to the next lower one."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(y[order])
    f1 = 2 * hits / (np.arange(1, len(y) + 1) + y.sum())
    is_last = np.r_[np.diff(scores[order]) != 0, True]
    place = int(np.argmax(np.where(is_last, f1, -1)))
    below = scores[order][place + 1] if place + 1 < len(y) else 0.0
    return float((scores[order][place] + below) / 2)


def _baselines(data: Data, split: Sequence[Fold]) -> list[Forecast]:
    """Return the most frequent class, or the mean, of training rows; and what was before."""
    usual = np.concatenate([np.full(len(f.test), data.y[f.train].mean()) for f in split])
    last = np.concatenate([data.last[fold.test] for fold in split])
    if data.task.kind is Kind.REGRESSION:
        middle = np.concatenate([np.full(len(f.test), np.median(data.y[f.train])) for f in split])
        never = np.zeros(len(last), dtype=bool)
        return [
            Forecast(MAJORITY, "the median of training rows", middle, never),
            Forecast(LAST, "what was given in the window before", last, never),
        ]
    return [
        Forecast(MAJORITY, "the more frequent class of training rows", usual, usual > 0.5),  # noqa: PLR2004 - more often
        Forecast(LAST, "the answer in the window before", last, last > 0),
    ]


def _drawn(data: Data, y: Matrix, one: Forecast, drawn: Matrix) -> dict[str, Matrix]:
    if data.task.kind is Kind.CLASSIFICATION:
        return measure.classified(y, one.scores, one.chosen, drawn)
    return measure.regressed(y, one.scores, drawn)


def _contrasts(ranked: dict[str, Matrix], pairs: Sequence[tuple[str, str]]) -> tuple[Contrast, ...]:
    differences = [ranked[name] - ranked[other] for name, other in pairs]
    p_values = [measure.two_sided(one) for one in differences]
    return tuple(
        Contrast(name, other, measure.figure(one), p, adjusted)
        for (name, other), one, p, adjusted in zip(
            pairs, differences, p_values, holm(p_values), strict=True
        )
    )


def _exact(
    data: Data, y: Matrix, models: Sequence[Forecast], majority: Forecast
) -> dict[str, float]:
    """Return for each model McNemar's p against always saying the more frequent class."""
    if data.task.kind is Kind.REGRESSION:
        return {}
    right = {one.name: one.chosen == (y > 0) for one in (*models, majority)}
    return {one.name: measure.mcnemar(right[one.name], right[majority.name]) for one in models}


def _latency(data: Data, model: catalog.Model, rows: Rows) -> float:
    """Return how long one forecast takes, in milliseconds, at the 95th percentile."""
    took = []
    for place in np.resize(rows, ASKED):
        began = monotonic()
        predict(data.task.kind, model, data.X[place : place + 1])
        took.append((monotonic() - began) * 1_000)
    return float(np.percentile(took, 95))
