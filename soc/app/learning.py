"""Learn a model, let it win or lose against the champion, and score users with the winner."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from io import BytesIO
from typing import Any

import numpy as np
import orjson
from sqlmodel import Session

from soc.app import studies
from soc.app.suite import Suite
from soc.app.taking import take
from soc.errors import NotFound, Refused, Unfit
from soc.intelligence import registry
from soc.intelligence.features.build import Frame, build
from soc.intelligence.features.definitions import BY_NAME, FEATURES, Feature
from soc.intelligence.models import catalog, imbalance, measure
from soc.intelligence.models.card import card, outside
from soc.intelligence.models.compare import Comparison, compare, predict
from soc.intelligence.models.task import Data, Kind, dataset, matrix_of, moments_of, task_of
from soc.intelligence.view.keep import View
from soc.model.value import moment_of, rfc3339
from soc.store.session import reading, session
from soc.store.tables import Learned

Plain = dict[str, Any]
AT_ONCE = 5_000
SOURCE = "intelligence"
DATASET = "soc.score"


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be learned. without: features to leave out. models: which are compared."""

    task: str
    window: timedelta
    moments: int = 6
    above: float = 0.0
    currency: str | None = None
    decimals: int | None = None
    without: tuple[str, ...] = ()
    models: tuple[str, ...] = tuple(catalog.MAKERS)
    seed: int = 1


def train(suite: Suite, asked: Question, actor: str) -> Plain:
    """Compare models, keep the best one, and make it the champion if it is better than what is.

    Return its card with what became of it. Raises Refused, Unfit and NotFound.
    """
    view = studies.view(suite)
    data, moments, decimals = _data(suite, view, asked)
    task = data.task
    found = compare(data, asked.seed, asked.models)
    whole = card(found, asked.seed, view.manifest.version, version("commonwatch"))
    whole["learned_until"] = rfc3339(max(moments) + task.window)
    whole["amounts"] = {"currency": data.currency, "decimals": decimals}
    model = catalog.make(found.best, task.kind, asked.seed).fit(data.X, data.y)
    now = suite.clock.now()
    with session(suite.database) as writing:
        row = registry.put(writing, model, whole, actor, now)
        promoted, reason = _outcome(writing, found, row)
        if promoted:
            registry.promote(writing, row, reason, actor, now)
        else:
            row.reason = reason
            writing.add(row)
        return registry.told(row)


def evened(suite: Suite, asked: Question) -> Plain:
    """Return how ways of evening out classes do with the first of the models; keeps nothing."""
    data, *_ = _data(suite, studies.view(suite), asked)
    found = imbalance.variants(data, asked.models[0], asked.seed)
    ways = [
        {
            "way": one.name,
            "figures": {name: figure._asdict() for name, figure in one.figures.items()},
            "gain": one.gain._asdict() if one.gain else None,
            "inflated": one.inflated,
            "recommended": one.is_recommended,
            "problem": one.problem,
        }
        for one in found
    ]
    return {
        "question": data.task.question,
        "model": asked.models[0],
        "rows": len(data),
        "yes": int(data.y.sum()),
        "made": rfc3339(suite.clock.now()),
        "ways": ways,
        "advice": imbalance.advice(found),
    }


def score(suite: Suite, task: str) -> Plain:
    """Score every user with the champion of *task*, and store the scores as events.

    They are of the class of model scores in the policy of retention, and act on nobody. The same
    moment is scored once. Raises NotFound without a champion, and Unfit if features changed.
    """
    with reading(suite.database) as looking:
        row = registry.champion(looking, task)
        if row is None:
            raise NotFound("champion", f"{task}: run soc intelligence train first")
        model, about, name = registry.load(looking, row), registry.card_of(row), registry.label(row)
    frame = _frame(suite, about)
    if frame.schema != about["schema"]:
        raise Unfit(f"{name} learned from other features than are built now: train anew")
    kind = Kind(about["task"]["kind"])
    rows = matrix_of(frame)
    values = predict(kind, model, rows)
    lines = b"\n".join(_events(frame, values, name, about["task"]["question"]))
    counted = take(suite, ["-"], SOURCE, "auto", AT_ONCE, BytesIO(lines))
    return {
        "model": name,
        "as_of": rfc3339(frame.as_of),
        "users": len(values),
        "stored": counted["accepted"],
        "known": counted["duplicates"],
        "mean": float(values.mean()),
        "outside": outside(rows, about),
    }


def _data(suite: Suite, view: View, asked: Question) -> tuple[Data, list[datetime], int]:
    if unknown := sorted({*asked.models} - {*catalog.MAKERS}):
        raise Refused(f"--models: no {', '.join(unknown)}: known are {', '.join(catalog.MAKERS)}")
    task = task_of(asked.task, asked.window, asked.above)
    moments = moments_of(view, task, asked.moments)
    features = _features(asked.without)
    currency, decimals = studies.amounts_of(suite, asked.currency, asked.decimals)
    return dataset(view, task, moments, currency, decimals, features), moments, decimals


def _features(without: Sequence[str]) -> tuple[Feature, ...]:
    if unknown := sorted({*without} - {*BY_NAME}):
        raise Refused(f"--without: no feature {', '.join(unknown)}")
    return tuple(one for one in FEATURES if one.name not in without)


def _outcome(session: Session, found: Comparison, row: Learned) -> tuple[bool, str]:
    """Return whether the new model becomes the champion, and why."""
    present = registry.champion(session, row.task)
    if not found.is_better:
        return False, f"it is no better than {found.baseline}, which needs no model"
    if present is None:
        return True, f"there was none, and it is better than {found.baseline}"
    name, old = registry.label(present), registry.card_of(present)
    same = ("window_s", "above", "kind")
    if present.schema_digest != found.data.schema or any(
        old["task"][key] != registry.card_of(row)["task"][key] for key in same
    ):
        return False, f"{name} answers another question: promote it by hand if it is the right one"
    if present.until > moment_of(int(found.data.moments[found.judged].min())):
        return False, f"{name} has learned from what it would be judged by: train again later"
    difference = _difference(found, registry.load(session, present))
    better = f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    if difference.low > 0:
        return True, f"it is better than {name}: {found.leading} {better}"
    return False, f"it is not surely better than {name}: {found.leading} {better}"


def _difference(found: Comparison, model: object) -> measure.Figure:
    """Return by how much the new model is better than *model* on the rows it is judged by."""
    data, kind = found.data, found.data.task.kind
    best, present = (
        measure.leading(found.y, scores, found.drawn, is_class=kind is Kind.CLASSIFICATION)
        for scores in (
            found.forecast(found.best).scores,
            predict(kind, model, data.X[found.judged]),
        )
    )
    return measure.figure(best - present)


def _frame(suite: Suite, about: Plain) -> Frame:
    features = tuple(BY_NAME[name] for name in about["features"] if name in BY_NAME)
    amounts = about["amounts"]
    return build(
        studies.view(suite),
        suite.clock.now(),
        amounts["currency"],
        features,
        amounts["decimals"],
    )


def _events(
    frame: Frame, values: np.ndarray[Any, np.dtype[np.float64]], name: str, question: str
) -> Iterator[bytes]:
    at = rfc3339(frame.as_of)
    for wallet, value in zip(frame.table["wallet"].to_pylist(), values.tolist(), strict=True):
        yield orjson.dumps(
            {
                "@timestamp": at,
                "event": {
                    "id": f"score:{name}:{at}:{wallet}",
                    "kind": "enrichment",
                    "dataset": DATASET,
                    "action": "score",
                },
                "wallet": {"address": wallet},
                "message": f"{question} {value:.4g}",
                "soc": {"score": {"model": name, "value": value}},
            }
        )
