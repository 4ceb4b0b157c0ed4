"""Whether rules can hit: asked of the newest events in the store."""

from typing import Any

import orjson

from soc import clock
from soc.app.suite import Suite
from soc.detect.sigma.health import Examiner, Health
from soc.detect.sigma.weigh import Scales
from soc.logs.following import following, newest
from soc.model.shard import Marks, between
from soc.model.value import rfc3339

WEIGHED = 100
"""Events on which it is measured what rules cost."""


def rule_health(suite: Suite, events: int) -> list[dict[str, Any]]:
    """Return how each rule fared on the newest *events*; rules that failed to load among them.

    cost_share: of what all rules took that were asked one by one about a hundred of these events.
    """
    ruleset = suite.read_rules().ruleset
    upto, more = suite.reader.upto(), True
    marks: Marks = newest(upto, events)
    examiner = Examiner(ruleset, Scales(clock.busy, between(marks, upto) // WEIGHED))
    while more:
        read = following(suite.reader, marks, suite.settings.detect.window, upto)
        marks, more = read.marks, read.more
        for raw, ts in zip(read.batch.column("raw"), read.batch.moments, strict=True):
            examiner.see(orjson.loads(raw), ts)
    found = [_told(one) for one in examiner.report()]
    blank = {"state": "failed", "events": 0, "hits": 0, "hits_a_day": 0.0, "errors": 0}
    blank |= {"last_hit": None, "cost_share": None}
    failed = [{"rule": p.path.stem, **blank, "why": [str(p)]} for p in ruleset.failed]
    return [*found, *failed]


def _told(one: Health) -> dict[str, Any]:
    return {
        "rule": one.about.name,
        "state": str(one.state),
        "events": one.events,
        "hits": one.hits,
        "hits_a_day": round(one.a_day, 2),
        "errors": one.errors,
        "last_hit": rfc3339(one.last_hit) if one.last_hit else None,
        "cost_share": None if one.share is None else round(one.share, 4),
        "why": list(one.why),
    }
