"""Whether rules can hit: asked of the newest events in the store."""

from typing import Any

import orjson

from soc.app.suite import Suite
from soc.detect.sigma.health import Examiner
from soc.model.value import rfc3339

WINDOW = 5_000


def rule_health(suite: Suite, events: int) -> list[dict[str, Any]]:
    """Return how each rule fared on the newest *events*; rules that failed to load among them."""
    ruleset = suite.rules.ruleset
    examiner, upto = Examiner(ruleset), suite.reader.view().upto
    after = max(0, upto - events)
    while after < upto:
        batch = suite.reader.scan(after, min(WINDOW, upto - after))
        if batch.upto <= after:
            break
        for raw, ts in zip(batch.column("raw"), batch.moments, strict=True):
            examiner.see(orjson.loads(raw), ts)
        after = batch.upto
    found = [
        {
            "rule": one.about.name,
            "state": str(one.state),
            "events": one.events,
            "hits": one.hits,
            "errors": one.errors,
            "last_hit": rfc3339(one.last_hit) if one.last_hit else None,
            "why": list(one.why),
        }
        for one in examiner.report()
    ]
    failed = [
        {
            "rule": problem.path.stem,
            "state": "failed",
            "events": 0,
            "hits": 0,
            "errors": 0,
            "last_hit": None,
            "why": [str(problem)],
        }
        for problem in ruleset.failed
    ]
    return [*found, *failed]
