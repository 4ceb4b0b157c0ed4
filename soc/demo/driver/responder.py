"""Play the person who approves: looks every second, thinks for a while, says yes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import requests

from soc.demo.driver.machine import now

REASON = "Looked at the evidence: it is what the playbook says."
TIMEOUT = 10


class Responder:
    """Approves what the suite asks, *patience* after it asked; waits for a suite that is away."""

    def __init__(
        self, suite: str, token: str, patience: timedelta, say: Callable[[str], None]
    ) -> None:
        self._url = f"{suite.rstrip('/')}/api/v1/approvals"
        self._patience = patience
        self._say = say
        self._first_seen: dict[str, datetime] = {}
        self._stopping = Event()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._thread = Thread(target=self._run, name="responder", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join(2 * TIMEOUT)
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _run(self) -> None:
        period = min(1.0, self._patience.total_seconds() / 4)
        while not self._stopping.wait(period):
            try:
                self.look()
            except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError):
                continue  # A suite that is away or confused is asked again.

    def look(self) -> None:
        """Look once, and approve what has been thought about for long enough."""
        answer = self._session.get(self._url, params={"state": "pending"}, timeout=TIMEOUT)
        answer.raise_for_status()
        for item in answer.json()["items"]:
            if now() >= self._asked_at(item) + self._patience:
                self._approve(item)

    def _asked_at(self, item: dict[str, Any]) -> datetime:
        """Return when the suite asked, or else when we first saw that it did."""
        seen = self._first_seen.setdefault(str(item["id"]), now())
        try:
            asked = datetime.fromisoformat(item["asked_at"])
        except (KeyError, TypeError, ValueError):
            return seen
        return asked if asked.utcoffset() is not None else seen

    def _approve(self, item: dict[str, Any]) -> None:
        url = f"{self._url}/{quote(str(item['id']), safe='')}/decide"
        body = {"decision": "approve", "digest": item["digest"], "reason": REASON}
        answer = self._session.post(url, json=body, timeout=TIMEOUT)
        self._say(f"approval {item['id']} of step {item.get('step')}: {answer.status_code}")
