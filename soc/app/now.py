"""Let every detector see what is there, without waiting for its time."""

from typing import Any

from sqlmodel import func, select

from soc.app.suite import Suite
from soc.store.session import reading
from soc.store.tables import Alert, Incident


def detect_now(suite: Suite, until: int | None) -> dict[str, Any]:
    """Run all due windows; return what they came to, and what could not be judged."""
    ticks = suite.watch().drain(until)
    with reading(suite.database) as looking:
        alerts = looking.exec(select(func.count()).select_from(Alert)).one()
        incidents = looking.exec(select(func.count()).select_from(Incident)).one()
    waiting = {reason for tick in ticks for reason in tick.not_ready}
    failures = {(one.rule, one.reason) for tick in ticks for one in tick.failures}
    return {
        "windows": sum(tick.windows for tick in ticks if tick.moved),
        "findings": sum(tick.findings for tick in ticks),
        "alerts": alerts,
        "incidents": incidents,
        "failed": {tick.detector: tick.failed for tick in ticks if tick.failed},
        "rule_failures": [f"{rule}: {reason}" for rule, reason in sorted(failures)],
        "not_ready": sorted(waiting),
    }
