"""Whether rules can hit: asked of the newest events in the store."""

from typing import Any

import orjson

from soc.app.suite import Suite
from soc.detect.sigma.health import Examiner, Health
from soc.model.value import rfc3339


def rule_health(suite: Suite, events: int) -> list[dict[str, Any]]:
    """Return how each rule fared on the newest *events*; rules that failed to load among them."""
    ruleset = suite.read_rules().ruleset
    examiner, upto = Examiner(ruleset), suite.reader.view().upto
    after = max(0, upto - events)
    while after < upto:
        batch = suite.reader.scan(after, min(suite.settings.detect.window, upto - after))
        if batch.upto <= after:
            break
        for raw, ts in zip(batch.column("raw"), batch.moments, strict=True):
            examiner.see(orjson.loads(raw), ts)
        after = batch.upto
    found = [_told(one) for one in examiner.report()]
    blank = {"state": "failed", "events": 0, "hits": 0, "errors": 0, "last_hit": None}
    failed = [{"rule": p.path.stem, **blank, "why": [str(p)]} for p in ruleset.failed]
    return [*found, *failed]


def _told(one: Health) -> dict[str, Any]:
    return {
        "rule": one.about.name,
        "state": str(one.state),
        "events": one.events,
        "hits": one.hits,
        "errors": one.errors,
        "last_hit": rfc3339(one.last_hit) if one.last_hit else None,
        "why": list(one.why),
    }
