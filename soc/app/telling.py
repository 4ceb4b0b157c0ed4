"""The story of an installation's data: what they say, what can be learned, and what cannot."""

from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from soc.app import learning, measuring, studies
from soc.app.suite import Suite
from soc.errors import Unfit
from soc.intelligence import registry
from soc.intelligence.explore import explore
from soc.intelligence.features.build import Frame, build
from soc.intelligence.view.keep import View
from soc.model.value import rfc3339
from soc.report.story import SCHEMA
from soc.store.session import reading

Plain = dict[str, Any]


def story(
    suite: Suite, window: timedelta, as_of: datetime | None, currency: str | None, decimals: int
) -> Plain:
    """Return everything that the report shows, as JSON values; raises NotFound, Unfit."""
    view, frame = studies.features(suite, as_of, currency, decimals)
    with reading(suite.database) as looking:
        models = [learning.told(row) for row in registry.listed(looking)]
    newest: dict[str, Plain] = {}
    for one in models:
        newest.setdefault(one["task"]["name"], one)
    return {
        "schema": SCHEMA,
        "tool": f"commonwatch {version('commonwatch')}",
        "made": rfc3339(suite.clock.now()),
        "view": {"version": view.manifest.version, "events": view.manifest.events},
        "window_s": window.total_seconds(),
        "decimals": decimals,
        "data": explore(view, frame, _before(view, frame, window, decimals), decimals),
        "features": [
            {"name": one.name, "unit": one.unit, "definition": one.definition}
            for one in frame.features
        ],
        "models": list(newest.values()),
        "kpis": measuring.figures(suite, window),
    }


def _before(view: View, frame: Frame, window: timedelta, decimals: int) -> Frame | None:
    try:
        return build(view, frame.as_of - window, frame.currency, decimals=decimals)
    except Unfit:
        return None
