"""The card of a comparison: all that one needs to believe it, or to doubt it."""

from typing import Any

import numpy as np

from soc.intelligence.models import closer
from soc.intelligence.models.compare import Comparison
from soc.intelligence.models.task import Kind, Matrix
from soc.model.value import moment_of, rfc3339

FORMAT = "commonwatch.model-card/1"
Plain = dict[str, Any]
MOST = 0.5
ASSUMPTIONS = (
    "Users of the next window behave like those of the last: no change of rules is foretold.",
    "A user is a wallet: a person with several wallets is several users.",
    "Rows of different wallets are taken as independent; wallets of one owner are not.",
    "What a user has no value of is the median of training rows, beside a column that says so.",
    "The best of several models was chosen by the rows that it is judged by: expect a little less.",
    "What is suspected is what findings and verdicts said by then: it is no ground truth.",
)


def card(found: Comparison, seed: int, view: int, code: str) -> Plain:
    """Return the card of *found* as JSON values; view, code: versions that it was made with."""
    data, is_class = found.data, found.data.task.kind is Kind.CLASSIFICATION
    whole: Plain = {
        "format": FORMAT,
        "task": {
            "name": data.task.name,
            "question": data.task.question,
            "kind": data.task.kind,
            "window_s": data.task.window.total_seconds(),
            "above": data.task.above if is_class else None,
        },
        "view": view,
        "code": code,
        "seed": seed,
        "schema": data.schema,
        "features": data.names,
        "rows": _rows(found),
        "models": [_model(found, one.name) for one in found.forecasts],
        "leading": found.leading,
        "best": found.best,
        "baseline": found.baseline,
        "conclusion": conclusion(found),
        "contrasts": [
            {
                "name": one.name,
                "other": one.other,
                "difference": one.difference._asdict(),
                "p": one.p,
                "p_adjusted": one.adjusted,
            }
            for one in found.contrasts
        ],
        "ranges": ranges(data.X, data.names),
        "importance": [
            {"name": one.name, "loss": one.loss._asdict()} for one in closer.importance(found, seed)
        ],
        "assumptions": list(ASSUMPTIONS),
    }
    return {**whole, **(_of_classes(found) if is_class else {})}


def conclusion(found: Comparison) -> str:
    """Return in one sentence whether a model is worth having."""
    best = found.figures[found.best][found.leading]
    simple = found.figures[found.baseline][found.leading]
    numbers = (
        f"{found.leading} {best.value:.3f} [{best.low:.3f}, {best.high:.3f}] against "
        f"{simple.value:.3f} of {found.baseline}, on {len(found.judged)} rows of "
        f"{len(np.unique(found.data.wallets[found.judged]))} users"
    )
    if found.is_better:
        return f"{found.best} foretells it better than what needs no model: {numbers}."
    return (
        f"No model foretells it better than what needs none; the best is {found.best}: {numbers}."
    )


def ranges(rows: Matrix, names: list[str]) -> dict[str, list[float]]:
    """Return the least and the greatest value of each column, of rows that have one."""
    columns = zip(names, rows.T, strict=True)
    return {name: [float(np.nanmin(one)), float(np.nanmax(one))] for name, one in columns}


def outside(rows: Matrix, card: Plain) -> list[str]:
    """Return the features that most of *rows* have beyond what the model of *card* learned from."""
    ends = np.array([card["ranges"][name] for name in card["features"]])
    beyond = (rows < ends[:, 0]) | (rows > ends[:, 1])
    strange = np.mean(beyond, axis=0) > MOST
    return [name for name, yes in zip(card["features"], strange, strict=True) if yes]


def _rows(found: Comparison) -> Plain:
    data = found.data
    learned = np.unique(np.concatenate([fold.train for fold in found.folds]))
    return {
        "all": len(data),
        "users": len(np.unique(data.wallets)),
        "moments": [rfc3339(moment_of(int(one))) for one in np.unique(data.moments)],
        "learned_from": len(learned),
        "judged": len(found.judged),
        "draws": len(found.drawn) - 1,
        "target_mean": {
            "learned_from": float(data.y[learned].mean()),
            "judged": float(found.y.mean()),
        },
        "missing": {
            name: int(np.isnan(column).sum())
            for name, column in zip(data.names, data.X.T, strict=True)
            if np.isnan(column).any()
        },
    }


def _model(found: Comparison, name: str) -> Plain:
    one = found.forecast(name)
    told: Plain = {
        "name": name,
        "about": one.about,
        "figures": {key: figure._asdict() for key, figure in found.figures[name].items()},
        "latency_p95_ms": one.latency_ms if one.fitted else None,
        "notes": list(one.notes),
    }
    if found.data.task.kind is Kind.CLASSIFICATION:
        told["confusion"] = closer.confusion(found, name)
        told["p_exact"] = found.exact.get(name)
    return told


def _of_classes(found: Comparison) -> Plain:
    return {
        "roc": {
            one.name: [list(point) for point in closer.curve(found, one.name)]
            for one in found.forecasts
            if one.fitted
        },
        "calibration": [
            {**one._asdict(), "interval": one.interval._asdict()}
            for one in closer.calibration(found, found.best)
        ],
        "groups": [_group(one) for one in closer.groups(found)],
    }


def _group(one: closer.Group) -> Plain:
    rates = ("came_true", "chosen", "missed", "accused")
    return {**one._asdict(), **{name: _rate(getattr(one, name)) for name in rates}}


def _rate(one: closer.Rate) -> Plain:
    return {**one._asdict(), "interval": one.interval._asdict() if one.interval else None}
