"""Send events to the suite until it has acknowledged each of them."""

import json
from collections import deque
from itertools import islice
from threading import Condition, Thread
from typing import Any, NamedTuple

import requests

from soc.demo.platform.machine import monotonic

BATCH = 500
LINGER = 0.15
"""How many seconds an event waits for company."""
MAX_PAUSE = 2.0
CREATED, CONFLICT, TOO_MANY = 201, 409, 429


class Parcel(NamedTuple):
    """One event on its way: its index, its id, and itself as JSON."""

    to: str
    id: str
    body: str


class Outbox:
    """Keeps events in order, in memory, and sends them again with the same ids until they are kept.

    An event that the suite refuses as wrong is dropped and counted: it would never be taken.
    """

    def __init__(self, url: str, token: str) -> None:
        self.refused = 0
        self._url = f"{url.rstrip('/')}/_bulk"
        self._waiting: deque[Parcel] = deque()
        self._filled = Condition()
        self._stop_at: float | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["Content-Type"] = "application/x-ndjson"
        self._thread = Thread(target=self._run, name="outbox", daemon=True)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, index: str, identity: str, document: dict[str, Any]) -> None:
        """Send *document* to *index* as soon as may be."""
        body = json.dumps(document, separators=(",", ":"))
        with self._filled:
            self._waiting.append(Parcel(index, identity, body))
            self._filled.notify()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, patience: float = 3) -> None:
        """Send what is left, for *patience* seconds at most, and end."""
        with self._filled:
            self._stop_at = monotonic() + patience
            self._filled.notify()
        self._thread.join(patience + 1)
        self._session.close()

    def _run(self) -> None:
        pause = 0.1
        while (batch := self._next_batch()) is not None:
            if not batch:
                continue
            left = self._send(batch)
            with self._filled:
                for _ in batch:
                    self._waiting.popleft()
                self._waiting.extendleft(reversed(left))
                if left:
                    self._filled.wait_for(self._is_over, pause)
            pause = min(pause * 2, MAX_PAUSE) if left else 0.1

    def _next_batch(self) -> list[Parcel] | None:
        """Return what to send next, nothing if there is nothing yet, or None to end."""
        with self._filled:
            self._filled.wait_for(lambda: self._waiting or self._stop_at is not None, 1)
            if self._stop_at is None and 0 < len(self._waiting) < BATCH:
                self._filled.wait_for(
                    lambda: len(self._waiting) >= BATCH or self._stop_at is not None, LINGER
                )
            if self._is_over() or (self._stop_at is not None and not self._waiting):
                return None
            return list(islice(self._waiting, BATCH))

    def _is_over(self) -> bool:
        return self._stop_at is not None and monotonic() > self._stop_at

    def _send(self, batch: list[Parcel]) -> list[Parcel]:
        """Send *batch* and return what must be sent again."""
        lines = [
            line
            for to, identity, body in batch
            for line in (json.dumps({"create": {"_index": to, "_id": identity}}), body)
        ]
        content = ("\n".join(lines) + "\n").encode()
        try:
            answer = self._session.post(self._url, content, timeout=(2, 15))
            answer.raise_for_status()
            statuses = [int(item["create"]["status"]) for item in answer.json()["items"]]
            pairs = list(zip(batch, statuses, strict=True))
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return batch
        left = [each for each, status in pairs if status == TOO_MANY or status >= 500]  # noqa: PLR2004  HTTP
        kept = [each for each, status in pairs if status in {200, CREATED, CONFLICT}]
        self.refused += len(batch) - len(left) - len(kept)
        return left
