"""Look after the segments of the embedded event store: list, prove, go on without one."""

from contextlib import closing
from typing import Any

from soc.app.suite import Suite
from soc.audit import Act, record
from soc.errors import Illegal
from soc.logs.chain import Chain
from soc.logs.embedded import EmbeddedLog
from soc.store.session import session

SHOWN = ("path", "rows", "first", "last", "bytes", "min_ts", "max_ts", "sha256")


def listed(suite: Suite) -> list[dict[str, Any]]:
    """Return the live segments, by number."""
    live = suite.reader.view().segments
    return [segment.model_dump(include=set(SHOWN)) for segment in live]


def proved(suite: Suite) -> dict[str, Any]:
    """Read the whole chain and every segment; return what is not as it was written.

    Raises LogError where the chain itself is broken.
    """
    chain = Chain(suite.home.events / "chain", whole=True)
    chain.check()
    reader = suite.reader
    live = reader.view().segments
    damaged = reader.looking(lambda view: reader.files.damaged(view.segments))
    return {
        "ok": not damaged,
        "entries": chain.count,
        "segments": len(live),
        "rows": sum(segment.rows for segment in live),
        "damaged": [segment.path for segment in damaged],
    }


def give_up(suite: Suite, path: str, reason: str, actor: str) -> int:
    """Go on without the damaged segment *path*; return how many rows are lost with it.

    Raises Illegal without a reason, LogError while another process writes the store.
    """
    if not reason.strip():
        raise Illegal("a reason is needed: it is what the chain will say")
    now = suite.clock.now()
    with closing(EmbeddedLog(suite.home.events, suite.settings.logs, suite.clock)) as log:
        rows = log.give_up(path, reason)
    act = Act(
        at=now, actor=actor, action="segment.give-up", object=f"segment:{path}", reason=reason
    )
    with session(suite.database) as writing:
        record(writing, act)
    return rows
