"""The story of an installation's data: what they say, what can be learned, and what cannot."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from soc.app import measuring
from soc.app.suite import Suite
from soc.content.digest import canonical
from soc.errors import Unfit
from soc.incidents.kpis.change import change
from soc.intelligence import registry
from soc.logs.files import write_durably
from soc.model.value import rfc3339
from soc.report.story import SCHEMA
from soc.store.session import reading

if TYPE_CHECKING:
    from soc.intelligence.features.build import Frame
    from soc.intelligence.view.keep import View

Plain = dict[str, Any]
STORY, EVENED = "story.json", "imbalance.json"
SEED = 1
WINDOWS = 6
"""Windows over which figures are followed."""


def keep(suite: Suite, told: Plain) -> Path:
    """Put a report where the console finds the last one; return its file."""
    return _put(suite, STORY, told)


def kept(suite: Suite) -> Plain | None:
    """Return the last report that was kept, if there is one of this form."""
    found = _got(suite, STORY)
    return found if found and found["schema"] == SCHEMA else None


def keep_evened(suite: Suite, task: str, told: Plain) -> Path:
    """Put what evening out classes does for *task* where the next report finds it."""
    return _put(suite, EVENED, {**(_got(suite, EVENED) or {}), task: told})


def story(
    suite: Suite,
    window: timedelta,
    as_of: datetime | None,
    currency: str | None = None,
    decimals: int | None = None,
) -> Plain:
    """Return everything that the report shows, as JSON values; raises NotFound, Unfit.

    A part that the data do not carry holds the reason why, under ``unfit``.
    """
    from soc.app import experiments, parts, studies  # defers DuckDB
    from soc.intelligence.explore import explore

    view, frame = studies.features(suite, as_of, currency, decimals)
    _, unit = studies.amounts_of(suite, currency, decimals)
    with reading(suite.database) as looking:
        models = [registry.told(row) for row in registry.listed(looking)]
    trends = measuring.windows(suite, suite.clock.now(), window, WINDOWS)
    newest: dict[str, Plain] = {}
    for one in models:
        newest.setdefault(one["task"]["name"], one)
    return {
        "schema": SCHEMA,
        "tool": f"commonwatch {version('commonwatch')}",
        "made": rfc3339(suite.clock.now()),
        "view": {"version": view.manifest.version, "events": view.manifest.events},
        "window_s": window.total_seconds(),
        "decimals": unit,
        "data": explore(view, frame, _before(view, frame, window, unit), unit),
        "features": [
            {"name": one.name, "unit": one.unit, "definition": one.definition}
            for one in frame.features
        ],
        "models": list(newest.values()),
        "imbalance": list((_got(suite, EVENED) or {}).values()),
        **parts.every(view, frame, SEED),
        "experiments": experiments.every(suite),
        "kpis": trends[-1],
        "trends": [_trend(points) for points in zip(*trends, strict=True)],
        "changes": [change(*pair) for pair in zip(*trends[-2:], strict=True)],
    }


def _trend(points: Sequence[Plain]) -> Plain:
    """Return one figure of one window after another."""
    kept = ("since", "until", "n", "value", "low", "high")
    named = {key: points[-1][key] for key in ("kpi", "title", "unit")}
    return {**named, "points": [{key: one[key] for key in kept} for one in points]}


def _put(suite: Suite, name: str, told: Plain) -> Path:
    path = suite.home.path / "intelligence" / name
    path.parent.mkdir(exist_ok=True)
    write_durably(path, canonical(told))
    return path


def _got(suite: Suite, name: str) -> Plain | None:
    path = suite.home.path / "intelligence" / name
    if not path.is_file():
        return None
    found: Plain = orjson.loads(path.read_bytes())
    return found


def _before(view: "View", frame: "Frame", window: timedelta, decimals: int) -> "Frame | None":
    from soc.intelligence.features.build import build  # as above

    try:
        return build(view, frame.as_of - window, frame.currency, decimals=decimals)
    except Unfit:
        return None
