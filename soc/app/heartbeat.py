"""Tell somebody outside each minute that all is well: silence tells them that it is not."""

import json
import logging
from collections import deque
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import requests
from sqlmodel import col, select

from soc.app.local import LocalConnection
from soc.app.suite import Suite
from soc.clock import monotonic
from soc.errors import StoreError
from soc.model.shard import mark_of, marks_of, shard_of
from soc.respond.deadline import within
from soc.store.session import reading
from soc.store.tables import DetectorWindow, Run
from soc.watch.tick import PROJECTION

EVERY = 60.0
SECONDS = 10.0
LATE = timedelta(minutes=5)
"""So long a job may not have ended well, an event not be looked at, a run not be begun."""
REMEMBERED = int(LATE.total_seconds() / EVERY)
GOOD = range(200, 300)


class Jobs:
    """When each job of a worker last ended well."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._ended: dict[str, float] = {}

    def watched(self, name: str, job: Callable[[], object]) -> Callable[[], None]:
        """Return *job*, watched."""
        self._ended[name] = self._now()

        def run() -> None:
            job()
            self._ended[name] = self._now()

        return run

    def late(self) -> list[str]:
        """Return the jobs that have not ended well for too long, sorted."""
        since = self._now() - LATE.total_seconds()
        return sorted(name for name, ended in self._ended.items() if ended < since)


class Heartbeat:
    """Fetches ``respond.heartbeat_url`` while intake, windows and workers are healthy."""

    def __init__(self, suite: Suite, jobs: Jobs) -> None:
        self._suite, self._jobs = suite, jobs
        self._taken: deque[int] = deque(maxlen=REMEMBERED)
        """The last event at each of the last looks: the first of them is old enough."""
        self._told: list[str] = []

    def beat(self) -> list[str]:
        """Fetch the URL, or do not; return why not. What is new about that goes to the log."""
        wrong = self.troubles() or self._fetch()
        if wrong != self._told:
            said = "; ".join(wrong) or "all is well again"
            logging.getLogger(__name__).warning("heartbeat: %s", said)
        self._told = wrong
        return wrong

    def troubles(self) -> list[str]:
        """Return what is not well here."""
        wrong = [f"the worker's job {name} does not end well" for name in self._jobs.late()]
        try:
            return [*wrong, *self._of_intake(), *self._of_store()]
        except StoreError as away:
            return [*wrong, str(away)]

    def _of_intake(self) -> list[str]:
        try:
            said = within(SECONDS, lambda: _ready(self._suite.home.socket))
            self._taken.append(int(said["last_seq"]))
            takes = said["takes_events"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError):
            return ["the front door does not answer"]
        return [] if takes else ["the front door takes no events"]

    def _of_store(self) -> list[str]:
        before = self._taken[0] if len(self._taken) == REMEMBERED else 0
        begun = self._suite.clock.now() - LATE
        with reading(self._suite.database) as looking:
            windows = looking.exec(
                select(DetectorWindow).order_by(col(DetectorWindow.detector))
            ).all()
            query = select(Run.id).where(col(Run.state) == "queued", col(Run.created) < begun)
            waits = looking.exec(query.order_by(col(Run.id)).limit(1)).first()
        names = {PROJECTION, *self._suite.detectors}
        known = [row for row in windows if row.detector in names]
        wrong = [f"the detector {row.detector} failed" for row in known if row.failure]
        shard = shard_of(before)
        wrong += [
            f"the detector {row.detector} is behind"
            for row in known
            if mark_of(marks_of(row.marks), shard) < before
        ]
        return [*wrong, f"RUN-{waits} is not begun"] if waits else wrong

    def _fetch(self) -> list[str]:
        url = self._suite.settings.respond.heartbeat_url
        if url is None:
            return []
        try:
            status = within(SECONDS, lambda: _status(url.get_secret_value()))
        except OSError as failed:  # its text may hold the URL
            return [f"it cannot be told: {type(failed).__name__}"]
        return [] if status in GOOD else [f"it was told and answered {status}"]


def _ready(door: Path) -> Any:  # noqa: ANN401 - JSON that is looked at where it is used
    with closing(LocalConnection(door)) as connection:
        connection.request("GET", "/readyz")
        return json.loads(connection.getresponse().read())


def _status(url: str) -> int:
    with requests.get(url, timeout=SECONDS, allow_redirects=False, stream=True) as response:
        return response.status_code
