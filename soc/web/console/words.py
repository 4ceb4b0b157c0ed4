"""Moments, states and subjects as people read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

MINUTE, HOUR, DAY = 60, 3_600, 86_400
FINE_HOURS, FINE_DAYS = 6, 3
"""Below these, the next smaller unit is worth saying too."""
LONGEST_PLAIN = 16
"""Longer names than this are shortened in lists."""

STATES = MappingProxyType(
    {
        "new": ("new", "New"),
        "acknowledged": ("new", "Acknowledged"),
        "in_incident": ("run", "In incident"),
        "suppressed": ("off", "Suppressed"),
        "retracted": ("off", "Retracted"),
        "in_progress": ("run", "In progress"),
        "on_hold": ("wait", "On hold"),
        "resolved": ("ok", "Resolved"),
        "closed": ("off", "Closed"),
        "queued": ("new", "Queued"),
        "running": ("run", "Running"),
        "started": ("run", "Started"),
        "waiting": ("wait", "Waiting"),
        "done": ("ok", "Done"),
        "skipped": ("off", "Skipped"),
        "failed": ("bad", "Failed"),
        "unknown": ("warn", "Unknown"),
        "cancelled": ("off", "Cancelled"),
        "needs_human": ("warn", "Needs a person"),
        "proposed": ("wait", "Proposed"),
        "active": ("ok", "In force"),
        "lifting": ("run", "Lifting"),
        "lifted": ("off", "Lifted"),
        "pending": ("wait", "Waiting"),
        "approved": ("ok", "Approved"),
        "rejected": ("bad", "Rejected"),
        "expired": ("off", "Expired"),
        "todo": ("new", "To do"),
        "blocked": ("wait", "Blocked"),
        "completed": ("ok", "Completed"),
    }
)
"""Mark and word of every state there is."""
VERDICTS = (
    ("true_positive", "True positive", "The rules were right: it happened and was not allowed."),
    ("benign_positive", "Benign positive", "It happened, and it was allowed."),
    ("false_positive", "False positive", "The rules were wrong: it did not happen."),
    ("duplicate", "Duplicate", "Another incident has it."),
    ("test", "Test", "We did it ourselves."),
    ("insufficient_data", "Insufficient data", "Nobody can tell from what is there."),
)


class Column(NamedTuple):
    """A moment in a column: for the ``datetime`` attribute, how long ago, and as a clock has it."""

    iso: str
    ago: str
    short: str


@dataclass(frozen=True, slots=True)
class Times:
    """Says moments, given as RFC 3339 text, as seen from *now*."""

    now: datetime

    def iso(self, text: str) -> str:
        """Return what stands in the ``datetime`` attribute."""
        return f"{_moment(text):%Y-%m-%dT%H:%M:%SZ}"

    def clock(self, text: str) -> str:
        """Return ``07:51:10 UTC``, with the date if it was not today."""
        moment = _moment(text)
        return (
            f"{moment:%H:%M:%S} UTC"
            if self.is_today(text)
            else f"{self.day(text)} {moment:%H:%M} UTC"
        )

    def exact(self, text: str) -> str:
        """Return ``07:51:10``, with the date if it was not today, for lists that say UTC."""
        return f"{'' if self.is_today(text) else self.day(text) + ' '}{_moment(text):%H:%M:%S}"

    def short(self, text: str) -> str:
        """Return ``07:51``, with the date if it was not today, for columns that say UTC."""
        moment = _moment(text)
        return f"{moment:%H:%M}" if self.is_today(text) else f"{self.day(text)} {moment:%H:%M}"

    def column(self, text: str) -> Column:
        """Return what a column that says UTC shows of it."""
        moment = _moment(text)
        clock = f"{moment:%H:%M}"
        short = clock if moment.date() == self.now.date() else f"{self.day(text)} {clock}"
        return Column(f"{moment:%Y-%m-%dT%H:%M:%SZ}", self.ago(text), short)

    def day(self, text: str) -> str:
        """Return ``22 Nov``, with the year if it is not this one."""
        moment = _moment(text)
        year = "" if moment.year == self.now.year else f" {moment.year}"
        return f"{moment.day} {moment:%b}{year}"

    def is_today(self, text: str) -> bool:
        """Return whether it is today's date, in UTC."""
        return _moment(text).date() == self.now.date()

    def is_past(self, text: str) -> bool:
        """Return whether it is over."""
        return _moment(text) <= self.now

    def ago(self, text: str) -> str:
        """Return ``51 min ago`` or ``in 3 h``."""
        seconds = round((_moment(text) - self.now).total_seconds())
        if not seconds:
            return "now"
        return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"

    def span(self, text: str) -> str:
        """Return how far it is from now."""
        return span(abs(round((_moment(text) - self.now).total_seconds())))


def span(seconds: int) -> str:
    """Return a time in one or two units, as long as both matter."""
    if seconds < MINUTE:
        return f"{seconds}\xa0s"
    if seconds < HOUR:
        return f"{seconds // MINUTE}\xa0min"
    if seconds < DAY:
        hours, minutes = seconds // HOUR, seconds % HOUR // MINUTE
        fine = f"\xa0{minutes}\xa0min" if hours < FINE_HOURS and minutes else ""
        return f"{hours}\xa0h{fine}"
    days, hours = seconds // DAY, seconds % DAY // HOUR
    return f"{days}\xa0d" + (f"\xa0{hours}\xa0h" if days < FINE_DAYS and hours else "")


def took(started: str, finished: str) -> str:
    """Return how long something lasted."""
    seconds = (_moment(finished) - _moment(started)).total_seconds()
    return f"{seconds:.1f}\xa0s" if seconds < MINUTE else span(round(seconds))


def mark(state: str) -> tuple[str, str]:
    """Return the mark and the word of *state*."""
    return STATES.get(state, ("off", plain(state)))


def plain(slug: str) -> str:
    """Return ``True positive`` for ``true_positive``."""
    return slug.replace("_", " ").capitalize()


def subject(entity: str) -> str:
    """Return ``wallet 0x7a3f…c91d`` for an entity with a long name."""
    kind, _, name = entity.partition(":")
    if kind == "wallet" and len(name) > LONGEST_PLAIN:
        name = f"{name[:6]}…{name[-4:]}"
    return f"{kind} {name}" if name else kind


def held(hold: Mapping[str, Any]) -> str:
    """Return what a hold does to its subject."""
    if hold["kind"] == "rate_limit":
        return f"Rate limit, {hold['rate']} requests a minute, {hold['burst']} at once"
    if hold["kind"] == "weight":
        known = hold.get("parameters") or orjson.loads(hold["details"])
        return f"Matching weight {known['weight']:g}"
    return plain(hold["kind"])


def person(actor: str) -> str:
    """Return ``ines`` for ``user:ines``, and other actors as the audit log has them."""
    return actor.removeprefix("user:")


def listed(names: Iterable[str]) -> str:
    """Return ``a, b and c``."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def some(number: int, noun: str) -> str:
    """Return ``1 alert`` or ``1,204 alerts``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def pretty(value: object) -> str:
    """Return JSON for people to read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
