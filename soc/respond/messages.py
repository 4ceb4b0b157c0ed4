"""Send each message once to each channel: not twice after a crash, and never too many."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from soc.contacts import Contacts
from soc.respond.channels import Channels
from soc.respond.deadline import pause
from soc.respond.notifier import Outbox
from soc.store import deliveries
from soc.store.deliveries import FAILED, HELD, SENDING, SENT, TOLD
from soc.store.session import Database, reading, session
from soc.store.tables import Delivery

HOUR = timedelta(hours=1)
AT_ONCE = 16
NAMED = 50
"""Titles that a digest names; it counts the rest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message on one channel. state: sent, held or failed; why: of a failure."""

    channel: str
    state: str
    why: str = ""


class Messenger:
    """Sends to the outbox always, and to the channels of those who are to know.

    A channel that took a message does not get it again; one that failed is asked again after a
    pause that grows. Beyond ``contacts.per_hour`` messages wait, and are told in one.
    """

    def __init__(
        self, outbox: Outbox, contacts: Contacts, channels: Channels, database: Database
    ) -> None:
        self._outbox, self._contacts = outbox, contacts
        self._channels, self._database = channels, database

    def send(self, key: str, to: Sequence[str], title: str, text: str, now: datetime) -> None:
        """Send a message once per *key*; raises OSError if it did not reach all of *to*."""
        outcomes = self.deliver(key, to, title, text, now)
        if failed := [one for one in outcomes if one.state == FAILED]:
            raise OSError("; ".join(f"{one.channel}: {one.why}" for one in failed))

    def deliver(
        self, key: str, to: Sequence[str], title: str, text: str, now: datetime
    ) -> list[Outcome]:
        """Send a message once per *key*; return what became of it on each channel."""
        self._outbox.send(key, to, title, text, now)
        unknown = sorted({target for target in to if not self._contacts.knows(target)})
        outcomes = [Outcome(target, FAILED, "no such contact") for target in unknown]
        ways = sorted({way for target in to for way in self._contacts.ways(target, now)})
        urgent = any(target.startswith("oncall:") for target in to)
        settled = {way: self._claim(key, way, title, now, urgent=urgent) for way in ways}
        outcomes += [outcome for outcome in settled.values() if outcome]
        due = [way for way in ways if settled[way] is None]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            reasons = pool.map(
                lambda way: self._channels.send(way, title, text, urgent=urgent), due
            )
            sent = [self._end(key, way, why, now) for way, why in zip(due, reasons, strict=True)]
        return [*outcomes, *sent]

    def tell_held(self, now: datetime) -> None:
        """Send what waited long enough because it was too much: one message for each channel."""
        with reading(self._database) as looking:
            waiting = deliveries.waiting_since(looking)
        for channel, since in waiting:
            if now - since >= self._contacts.digest_after:
                self._digest(channel, now)

    def _claim(
        self, key: str, channel: str, title: str, now: datetime, *, urgent: bool
    ) -> Outcome | None:
        """Return None if the message is ours to send now, else what is to be said of it."""
        with session(self._database) as writing:
            deliveries.lock(writing, channel)
            row = deliveries.find(writing, key, channel)
            if row and (settled := self._settled(row, now)):
                return settled
            since = now - HOUR
            sent = deliveries.sent_since(writing, channel, since, urgent=urgent)
            is_full = sent >= self._contacts.per_hour
            row = row or Delivery(key=key, channel=channel, state=HELD, at=now)
            row.title, row.urgent, row.at = title, urgent, now
            row.state = HELD if is_full else SENDING
            row.attempts += not is_full
            writing.add(row)
        return Outcome(channel, HELD) if is_full else None

    def _settled(self, row: Delivery, now: datetime) -> Outcome | None:
        if row.state in {SENT, TOLD}:
            return Outcome(row.channel, SENT)
        if row.state == HELD:
            return Outcome(row.channel, HELD)
        if row.state == SENDING and now < row.at + timedelta(seconds=2 * self._contacts.timeout):
            return Outcome(row.channel, FAILED, "another worker is sending it")
        if row.state == FAILED and now < row.at + pause(row.attempts):
            return Outcome(row.channel, FAILED, row.error)
        return None

    def _end(self, key: str, channel: str, why: str, now: datetime) -> Outcome:
        with session(self._database) as writing:
            row = writing.get_one(Delivery, (key, channel), with_for_update=True)
            row.state, row.error, row.at = FAILED if why else SENT, why, now
            return Outcome(channel, row.state, why)

    def _digest(self, channel: str, now: datetime) -> None:
        with session(self._database) as writing:
            deliveries.lock(writing, channel)
            rows = deliveries.waiting(writing, channel)
            if channel not in self._channels:
                _give_up(rows, now)
                return
            key = f"digest:{channel}:{rows[0].key}"
            row = deliveries.find(writing, key, channel)
            if row and self._settled(row, now):
                return
            row = row or Delivery(key=key, channel=channel, state=SENDING, at=now)
            row.title, text = _words(rows)
            row.is_digest, row.state, row.at, row.attempts = True, SENDING, now, row.attempts + 1
            writing.add(row)
        why = self._channels.send(channel, row.title, text, urgent=any(r.urgent for r in rows))
        if self._end(key, channel, why, now).state == FAILED:
            logging.getLogger(__name__).warning(
                "%s was not told of held messages: %s", channel, why
            )
            return
        with session(self._database) as writing:
            for held in rows:
                writing.get_one(Delivery, (held.key, channel)).state = TOLD


def _give_up(rows: Sequence[Delivery], now: datetime) -> None:
    for row in rows:
        row.state, row.error, row.at = FAILED, "the channel is gone", now


def _words(rows: Sequence[Delivery]) -> tuple[str, str]:
    title = f"{len(rows)} messages were held back, to send no more than agreed"
    lines = [f"- {row.at:%H:%M:%S} {' '.join(row.title.split())}" for row in rows[:NAMED]]
    if len(rows) > NAMED:
        lines.append(f"… and {len(rows) - NAMED} more")
    return title, "\n".join([*lines, "All of them are in the outbox. Times are UTC."])
