"""The API of sources: what sends, what of it no parser took, and asking the parsers again."""

from typing import Annotated, Any

import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Query, Request

from soc.access.permissions import Permission, Principal
from soc.app.rulebook import place_of
from soc.app.taking import LONGEST_SOURCE, REPLAYED, replay_page
from soc.audit import Act, record
from soc.errors import AccessDenied
from soc.model.value import rfc3339
from soc.web.asked import Limit, Plain, needs
from soc.web.front import Front

LAST_SEQ = 2**63 - 1
After = Annotated[int, Query(ge=0, le=LAST_SEQ)]
OfSource = Annotated[str, Query(max_length=LONGEST_SOURCE)]
AT_ONCE = 5_000
LOOKED_AT = 50_000
"""Rejects that one question looks through for those of one source."""
WAITS = 20.0
COLUMNS = ("seq", "ingested", "source", "reason", "raw")


def add(routes: APIRouter, front: Front) -> None:
    """Add the routes of sources to *routes*."""
    reads, reader = needs(front, Permission.READ), front.log.reader

    @routes.get("/sources", tags=["events"], dependencies=[reads])
    def sources() -> Plain:
        """Return what sends, its parsers, rejects and silence, counted some seconds ago at most.

        problems: the mistakes in source files, as this process read them when it started.
        """
        return listed(front, WAITS)

    @routes.get("/rejects", tags=["events"], dependencies=[reads])
    def rejects(after: After = 0, limit: Limit = 100, source: OfSource = "") -> Plain:
        """Return what no parser took, with the reason; of one *source* alone, if it is named.

        Go on after ``next`` while there is one: of one source a page may be short.
        """
        rows, follows = rejected(reader, after, limit, source)
        items = [{**row, "ingested": rfc3339(row["ingested"])} for row in rows]
        return {"items": items, "next": follows}


def add_replay(routes: APIRouter, front: Front) -> None:
    """Add the route that asks the parsers again, which is intake."""

    def check(request: Request) -> Principal:
        who = front.who_asks(request)
        require_replay(who)
        return who

    @routes.post("/rejects/replay", tags=["events"])
    def again(
        who: Annotated[Principal, Depends(check)],
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=REPLAYED)] = 1000,
    ) -> Plain:
        """Ask the parsers again; what one takes now becomes an event, once.

        Who may send events or administers may. Go on after ``last_seq`` until fewer than ``limit``
        were asked about.
        """
        return replay(front, who, after, limit)


def listed(front: Front, patience: float) -> Plain:
    """Return what sends, and the mistakes in source files; raises Busy while it is counted."""
    suite = front.suite
    made = front.senders.ask(patience)
    spans = {
        one.name: one.silent_after or suite.settings.inputs.silent_after
        for one in suite.settings.inputs.sources
    }
    return {
        "counted": rfc3339(made.at),
        "items": [
            {
                **row,
                "expected": row["source"] in spans,
                "silent_after_s": span.total_seconds()
                if (span := spans.get(row["source"]))
                else None,
            }
            for row in made.answer
        ],
        "problems": [
            {"path": place_of(suite, one.path), "line": one.line, "message": one.message}
            for one in suite.sources.problems
        ],
    }


def rejected(
    reader: Any,  # noqa: ANN401 - either event store's reader
    after: int,
    limit: int,
    source: str,
) -> tuple[list[Plain], int | None]:
    """Return rejects above number *after*, and after which number to go on, if there are more."""
    found: list[Plain] = []
    looked = 0
    while len(found) <= limit and looked < LOOKED_AT:
        size = AT_ONCE if source else limit + 1
        page = reader.rejects(after, size).select(COLUMNS)
        looked += page.num_rows
        mine = page.filter(pc.equal(page["source"], source)) if source else page
        found += mine.slice(0, limit + 1 - len(found)).to_pylist()
        if page.num_rows < size:
            break
        after = page["seq"][-1].as_py()
    else:
        if len(found) <= limit:
            return found, after
    return found[:limit], found[limit - 1]["seq"] if len(found) > limit else None


def replay(front: Front, who: Principal, after: int, limit: int) -> Plain:
    """Ask the parsers about a page of rejects, on the record; raises AccessDenied."""
    require_replay(who)
    told = replay_page(front.suite, front.log, after, limit)
    if told["asked"]:
        counted = f"{told['asked']} asked about, {told['accepted']} taken"
        act = Act(
            at=front.suite.clock.now(),
            actor=who.name,
            action="rejects.replay",
            object=f"rejects:{after}-{told['last_seq']}",
            reason=counted,
        )
        with front.writing() as writing:
            record(writing, act)
    return told


def require_replay(who: Principal) -> None:
    """Do nothing for who may send as any source or administers; raise AccessDenied."""
    if not who.permissions & {Permission.INGEST, Permission.ADMIN}:
        raise AccessDenied(f"{who.name} lacks the permission {Permission.INGEST}")
    who.require_any_source()
