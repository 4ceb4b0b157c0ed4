"""Carry the ledger to what asks nobody: platforms with a webhook, and nginx with a map."""

import logging
from datetime import timedelta
from pathlib import Path

from soc.app.suite import Suite
from soc.errors import Unreloaded
from soc.respond import ledger, nginx_map, reconcile
from soc.respond.courier import ALIVE_EVERY, Courier
from soc.store.session import reading, session

NGINX = "nginx"
RETRY = timedelta(seconds=10)
"""How long after a reload that failed it is tried again."""


class Enforcing:
    """Looks whether anybody does not know yet what is in force."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._courier = Courier(suite.database, suite.clock, suite.settings.edges)
        self._reloaded: int | None = None
        self._next = self._alive = suite.clock.now()

    def look(self) -> None:
        """Send and write what changed."""
        self._courier.deliver()
        if (file := self._suite.settings.edges.nginx.file) is not None:
            self._map(self._suite.home.path / file)

    def _map(self, path: Path) -> None:
        """Write the map of a new version, have nginx read it, and say so as an edge does."""
        now = self._suite.clock.now()
        with reading(self._suite.database) as looking:
            newest = ledger.version(looking)
            is_new = nginx_map.written(path) != newest
            text = nginx_map.of(looking, now)[0] if is_new else ""
        if is_new:
            nginx_map.write(path, text)
        if self._reloaded != newest and now >= self._next:
            self._reload(newest)
        if self._reloaded == newest and now >= self._alive:
            self._report(newest)

    def _reload(self, newest: int) -> None:
        now, command = self._suite.clock.now(), self._suite.settings.edges.nginx.reload
        try:
            if command:
                nginx_map.reload(command)
        except Unreloaded as failed:
            self._next = now + RETRY
            logging.getLogger(__name__).error("nginx has no new map: %s", failed)  # noqa: TRY400 - foreseen
        else:
            self._reloaded = newest
            self._report(newest)

    def _report(self, version: int) -> None:
        now, policy = self._suite.clock.now(), self._suite.settings.edges
        with session(self._suite.database) as writing:
            reconcile.obeys(writing, NGINX, version, policy, now)
        self._alive = now + ALIVE_EVERY
