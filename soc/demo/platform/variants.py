"""Ask the suite which variant of the projects page a wallet sees; without an answer the default."""

from threading import Lock

import requests

from soc.demo.platform.machine import monotonic

EXPERIMENT = "projects-page"
DEFAULT, RECOMMENDED, SAME_CLUSTER = "default", "recommended", "same-cluster"
PATIENCE = 0.5
"""Seconds that a page waits for its variant."""
REST = 5.0
"""Seconds for which nobody asks after no answer came."""
MOST = 100_000


class Variants:
    """The variants of wallets, each asked for once. Any thread may use it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/experiments/{EXPERIMENT}/assignment"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._known: dict[str, str] = {}
        self._lock = Lock()
        self._rests_until = 0.0

    def of(self, wallet: str) -> str:
        """Return the variant that *wallet* sees now; the suite keeps that it does."""
        known = self._known.get(wallet)
        if known is not None or monotonic() < self._rests_until:
            return known or DEFAULT
        try:
            answer = requests.get(
                self._url, {"unit": wallet}, headers=self._headers, timeout=PATIENCE
            )
            answer.raise_for_status()
            said = answer.json()
            arm, state = str(said["arm"]), said["state"]
        except (requests.RequestException, ValueError, KeyError, TypeError):
            self._rests_until = monotonic() + REST
            return DEFAULT
        if state == "running":
            self._keep(wallet, arm)
        return arm

    def _keep(self, wallet: str, arm: str) -> None:
        with self._lock:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[wallet] = arm
