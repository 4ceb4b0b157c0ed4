"""Tell platforms that enforce by themselves what is in force: signed, in order, until they take it.

Each request says from which version of the ledger to which it leads, in the words of the long poll
of edges. A platform takes one by answering 2xx; what it did not take is sent again, later and
later. It may get one twice, and never a later one before an earlier one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import requests
from sqlmodel import Session

from soc.access.signatures import sign
from soc.clock import Clock
from soc.respond import ledger, reconcile
from soc.respond.deadline import pause
from soc.settings import Edges, Platform
from soc.store.session import Database, reading, session
from soc.store.tables import Edge, EdgeWebhook

AT_ONCE = 1_000
"""Changes that one request tells at most."""
PAGES = 20
"""Requests to one platform in one look."""
ALIVE_EVERY = timedelta(seconds=20)
SPARE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a platform is told next. claim: until when it is this worker's to tell."""

    platform: Platform
    known: int
    changes: Mapping[str, Any]
    claim: datetime

    @property
    def body(self) -> bytes:
        """Return what is sent and signed."""
        return orjson.dumps({"edge": self.platform.name, "after": self.known, **self.changes})


class Courier:
    """Brings every platform up to date."""

    def __init__(self, database: Database, clock: Clock, policy: Edges) -> None:
        self._database, self._clock, self._policy = database, clock, policy

    def deliver(self) -> int:
        """Send each platform what it does not know; return how many requests were taken."""
        taken = 0
        for platform in self._policy.webhooks:
            for _ in range(PAGES):
                if (parcel := self._next(platform)) is None:
                    break
                failure = self._send(parcel)
                with session(self._database) as writing:
                    self._note(writing, parcel, failure)
                if failure:
                    break
                taken += 1
        return taken

    def _next(self, platform: Platform) -> Parcel | None:
        """Claim what *platform* must be told now; None if there is nothing, or it is not time."""
        now = self._clock.now()
        if self._is_idle(platform, now):
            return None
        with session(self._database) as writing:
            state = self._state(writing, platform.name, now)
            if state.next_at > now or (state.claimed_until and state.claimed_until > now):
                return None
            changes = ledger.rules_after(writing, state.version, now, AT_ONCE)
            if changes["version"] == state.version:
                self._show_life(writing, state, now)
                return None
            claim = now + timedelta(seconds=2 * platform.timeout) + SPARE
            state.claimed_until = claim
            writing.add(state)
            return Parcel(platform, state.version, changes, claim)

    def _is_idle(self, platform: Platform, now: datetime) -> bool:
        """Return whether there is nothing to do, without holding the store up."""
        with reading(self._database) as looking:
            state = looking.get(EdgeWebhook, platform.name)
            if state is None:
                return False
            is_told = state.version == ledger.version(looking)
            edge = looking.get(Edge, platform.name)
            is_fresh = edge is None or now - edge.reported < ALIVE_EVERY
            return state.next_at > now or (is_told and is_fresh)

    def _send(self, parcel: Parcel) -> str:
        """Send *parcel*; return why it was not taken, or nothing."""
        platform, body = parcel.platform, parcel.body
        headers = {
            "Content-Type": "application/json",
            **sign(platform.secret.get_secret_value(), body, self._clock.now()),
        }
        with requests.Session() as opened:
            opened.trust_env = False
            try:
                with opened.post(
                    platform.url,
                    data=body,
                    headers=headers,
                    timeout=platform.timeout,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    taken = answer.status_code // 100 == 2  # noqa: PLR2004 - HTTP's own
                    return "" if taken else f"it answered {answer.status_code}"
            except requests.RequestException as failed:
                return type(failed).__name__

    def _note(self, writing: Session, parcel: Parcel, failure: str) -> None:
        """Write what became of *parcel*, unless the claim was lost meanwhile."""
        now = self._clock.now()
        state = self._state(writing, parcel.platform.name, now)
        if state.claimed_until != parcel.claim or state.version != parcel.known:
            return
        state.claimed_until, state.failure = None, failure
        if failure:
            state.attempts += 1
            state.next_at = now + pause(state.attempts)
        else:
            state.attempts, state.next_at, state.version = 0, now, parcel.changes["version"]
            self._report(writing, state, now)
        writing.add(state)

    def _show_life(self, writing: Session, state: EdgeWebhook, now: datetime) -> None:
        known = writing.get(Edge, state.name)
        if known and not state.failure and now - known.reported >= ALIVE_EVERY:
            self._report(writing, state, now)

    def _report(self, writing: Session, state: EdgeWebhook, now: datetime) -> None:
        reconcile.obeys(writing, state.name, state.version, self._policy, now)

    def _state(self, writing: Session, name: str, now: datetime) -> EdgeWebhook:
        state = writing.get(EdgeWebhook, name, with_for_update=True)
        return state or EdgeWebhook(name=name, next_at=now)
