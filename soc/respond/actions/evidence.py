"""Look at what is stored, and keep what must outlive it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from soc.content.kinds import Duration
from soc.respond.action import Action, Repeat, Risk, World


class Snapshot(Action):
    """Keep the alerts of the incident with their raw events as one file, named by its digest.

    It lies in the home under ``evidence``; the same alerts make the same file.
    """

    name = "evidence.snapshot"
    risk = Risk.READ
    repeat = Repeat.LOCAL
    example = "{}"

    def run(self, world: World) -> Mapping[str, object]:
        """Write the file; return its digest and how many alerts and events it holds."""
        return world.snapshot()


class Search(Action):
    """Search stored events, newest first."""

    name = "logs.search"
    risk = Risk.READ
    repeat = Repeat.SAFE
    looks_inside = True
    example = '{"query": "wallet.address:0xab AND event.action:donate", "since": "24h"}'

    query: Annotated[
        str, Field(max_length=2_000, description="such as wallet.address:0xab AND NOT gift")
    ]
    since: Annotated[Duration, Field(description="how far back")] = timedelta(hours=24)
    limit: Annotated[int, Field(ge=1, le=100, description="events at most")] = 20

    def run(self, world: World) -> Mapping[str, object]:
        """Return ``count`` and ``events``: what lists of events show of each."""
        found = world.search(self.query, self.since, self.limit)
        return {"count": len(found), "events": found}

    def outcome(self) -> Mapping[str, object]:
        """Return that nothing was looked for."""
        return {"count": 0, "events": []}
