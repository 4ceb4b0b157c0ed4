"""Indices of others, read as long as the front door is open."""

import asyncio
import logging

from soc.app.foreign.index import Index, folder_of
from soc.app.silence import tell_gap
from soc.app.taking import Lines
from soc.clock import monotonic, pause
from soc.errors import LogError, StoreError
from soc.inputs import IndexInput
from soc.web.front import Front

EVERY = 5.0
"""Seconds between two looks."""
COUNT_EVERY = 60.0
LONGEST_PAUSE = 0.5


class Reading:
    """One index that is read. Whatever fails is told once and tried again."""

    def __init__(self, front: Front, about: IndexInput) -> None:
        home = front.suite.home.path
        given = about.model_copy(update={"ca": about.ca and home / about.ca})
        self._front = front
        self._index = Index(given, folder_of(home, about), front.suite.clock, self._store)
        self._counted = float("-inf")
        self._told, self._undated = "", 0

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(EVERY)

    def close(self) -> None:
        """Stop soon."""
        self._index.close()

    def look(self) -> None:
        """Take what is new; count again what is due."""
        try:
            self._index.pull()
            if monotonic() - self._counted >= COUNT_EVERY:
                self._count()
                self._counted = monotonic()
            self._told = ""
        except (LogError, StoreError) as away:
            if str(away) != self._told:
                name = self._index.about.index
                logging.getLogger(__name__).warning("index %s is not read: %s", name, away)
            self._told = str(away)

    def _count(self) -> None:
        source, suite = self._index.about.source, self._front.suite
        self._index.sweep(lambda gap: tell_gap(suite, source, gap.reason, gap.since))
        undated, self._undated = self._undated, self._index.undated()
        if self._undated > undated:
            field = self._index.about.timestamp
            reason = f"{self._undated} documents have no {field} and are never read"
            tell_gap(suite, source, reason, suite.clock.now())

    def _store(self, lines: Lines) -> None:
        source = self._index.about.source
        while (owed := self._front.sources.owed(source, len(lines.text))) > 0:
            pause(min(owed, LONGEST_PAUSE))
        self._front.store_lines(lines)
