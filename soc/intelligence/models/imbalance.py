"""Whether it helps to even out two classes of unequal size: measured, and mostly it does not.

Rows are made up within training folds alone: made before a split, copies of judged rows would be
learned from. Every variant is calibrated on rows as they are, since evened classes make each
probability too high. Chawla et al., "SMOTE", 2002; He et al., "ADASYN", 2008; Han et al.,
"Borderline-SMOTE", 2005.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from soc.errors import Refused
from soc.intelligence.models import catalog, leakage, measure
from soc.intelligence.models.compare import best_threshold, predict
from soc.intelligence.models.folds import Fold, Rows, folds, inner
from soc.intelligence.models.measure import Figure
from soc.intelligence.models.task import Data, Kind, Matrix

NONE = "none"
NEIGHBOURS = 5
SPLITS = 3
"""Parts of training rows that calibration takes in turn."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How one way of evening out does. gain: of AP over doing nothing, on the same draws of users.

    inflated: mean probability over the share that came true. problem: why it cannot be done.
    """

    name: str
    figures: Mapping[str, Figure]
    gain: Figure | None
    inflated: float | None
    problem: str = ""

    @property
    def is_recommended(self) -> bool:
        """Whether AP gains beyond chance; that of doing nothing never does."""
        return self.gain is not None and self.gain.low > 0


def variants(data: Data, model: str, seed: int) -> list[Variant]:
    """Return how each way does on *data*, that of doing nothing first.

    Raises Refused for a task that has no classes and without the extra ml, and Unfit for leaks.
    """
    if data.task.kind is not Kind.CLASSIFICATION:
        raise Refused("--task: evening out needs classes: write returns or high-value")
    _ = _imblearn()
    split = folds(data)
    leakage.refuse(leakage.leaks(data, split))
    judged = np.concatenate([fold.test for fold in split])
    drawn, y = measure.weights(data.wallets[judged], seed), data.y[judged]
    found: list[Variant] = []
    plain: dict[str, Matrix] | None = None
    for name in WAYS:
        try:
            scores, chosen = _judged(data, split, name, model, seed)
        except ValueError as refused:
            found.append(Variant(name, {}, None, None, str(refused).partition("\n")[0]))
            continue
        figures = measure.classified(y, scores, chosen, drawn)
        plain = figures if plain is None else plain
        gain = None if name == NONE else measure.figure(figures["ap"] - plain["ap"])
        inflated = float(scores.mean() / y.mean()) if y.any() else None
        found.append(Variant(name, measure.figures(figures), gain, inflated))
    return found


def advice(found: Sequence[Variant]) -> str:
    """Return in one sentence what to do."""
    better = [one for one in found if one.is_recommended]
    if not better:
        return "Do nothing: no way of evening out gains average precision beyond chance."
    best = max(better, key=lambda one: one.gain.value if one.gain else 0)
    assert best.gain  # noqa: S101 - it is recommended
    gain = f"{best.gain.value:+.3f} [{best.gain.low:+.3f}, {best.gain.high:+.3f}]"
    return f"{best.name} gains average precision: {gain}."


def _judged(
    data: Data, split: Sequence[Fold], way: str, model: str, seed: int
) -> tuple[Matrix, np.ndarray[Any, np.dtype[np.bool_]]]:
    scores, chosen = [], []
    for fold in split:
        part = inner(data, fold.train)
        held = predict(data.task.kind, _fit(data, part.train, way, model, seed), data.X[part.test])
        threshold = best_threshold(data.y[part.test], held)
        fitted = _fit(data, fold.train, way, model, seed)
        scores.append(predict(data.task.kind, fitted, data.X[fold.test]))
        chosen.append(scores[-1] >= threshold)
    return np.concatenate(scores), np.concatenate(chosen)


def _fit(data: Data, rows: Rows, way: str, model: str, seed: int) -> catalog.Model:
    from sklearn.calibration import CalibratedClassifierCV  # heavy: only where models are made

    pipeline = WAYS[way](catalog.make(model, data.task.kind, seed), seed)
    return CalibratedClassifierCV(pipeline, cv=SPLITS).fit(data.X[rows], data.y[rows])


def _nothing(pipeline: catalog.Model, seed: int) -> catalog.Model:  # noqa: ARG001 - one signature
    return pipeline


def _weighted(pipeline: catalog.Model, seed: int) -> catalog.Model:  # noqa: ARG001 - one signature
    estimator = pipeline.steps[-1][1]
    if "class_weight" not in estimator.get_params():
        raise ValueError("this model takes no class weights")
    estimator.set_params(class_weight="balanced")
    return pipeline


def _sampled(name: str) -> Callable[[catalog.Model, int], catalog.Model]:
    def way(pipeline: catalog.Model, seed: int) -> catalog.Model:
        samplers = _imblearn()
        neighbours = {"n_neighbors" if name == "ADASYN" else "k_neighbors": NEIGHBOURS}
        sampler = getattr(samplers.over_sampling, name)(random_state=seed, **neighbours)
        steps = [(key, step) for key, step in pipeline.steps]
        return samplers.pipeline.Pipeline([*steps[:-1], ("sampler", sampler), steps[-1]])

    return way


def _imblearn() -> Any:  # noqa: ANN401 - a package without types
    try:
        import imblearn.over_sampling  # the extra ml
        import imblearn.pipeline
    except ImportError as missing:
        raise Refused(
            "evening out classes needs the extra ml: pip install 'commonwatch[ml]'"
        ) from missing
    return imblearn


WAYS: Mapping[str, Callable[[catalog.Model, int], catalog.Model]] = MappingProxyType(
    {
        NONE: _nothing,
        "class weights": _weighted,
        "SMOTE": _sampled("SMOTE"),
        "ADASYN": _sampled("ADASYN"),
        "BorderlineSMOTE": _sampled("BorderlineSMOTE"),
    }
)
