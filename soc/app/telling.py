"""The story of an installation's data: what they say, what can be learned, and what cannot."""

from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from soc.app import measuring
from soc.app.suite import Suite
from soc.content.digest import canonical
from soc.errors import Unfit
from soc.intelligence import registry
from soc.logs.files import write_durably
from soc.model.value import rfc3339
from soc.report.story import SCHEMA
from soc.store.session import reading

if TYPE_CHECKING:
    from soc.intelligence.features.build import Frame
    from soc.intelligence.view.keep import View

Plain = dict[str, Any]


def keep(suite: Suite, told: Plain) -> Path:
    """Put a report where the console finds the last one; return its file."""
    path = suite.home.path / "intelligence" / "story.json"
    path.parent.mkdir(exist_ok=True)
    write_durably(path, canonical(told))
    return path


def kept(suite: Suite) -> Plain | None:
    """Return the last report that was kept, if there is one of this form."""
    path = suite.home.path / "intelligence" / "story.json"
    if not path.is_file():
        return None
    found: Plain = orjson.loads(path.read_bytes())
    return found if found["schema"] == SCHEMA else None


def story(
    suite: Suite,
    window: timedelta,
    as_of: datetime | None,
    currency: str | None = None,
    decimals: int | None = None,
) -> Plain:
    """Return everything that the report shows, as JSON values; raises NotFound, Unfit."""
    from soc.app import studies  # defers DuckDB
    from soc.intelligence.explore import explore

    view, frame = studies.features(suite, as_of, currency, decimals)
    _, unit = studies.amounts_of(suite, currency, decimals)
    with reading(suite.database) as looking:
        models = [registry.told(row) for row in registry.listed(looking)]
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
        "kpis": measuring.figures(suite, window),
    }


def _before(view: "View", frame: "Frame", window: timedelta, decimals: int) -> "Frame | None":
    from soc.intelligence.features.build import build  # as above

    try:
        return build(view, frame.as_of - window, frame.currency, decimals=decimals)
    except Unfit:
        return None
