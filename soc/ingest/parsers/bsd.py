"""Syslog as it was before RFC 5424: without a year, without a zone, and often without more."""

from datetime import UTC, datetime, tzinfo

import re2

from soc.clock import Clock, SystemClock
from soc.errors import Refused
from soc.ingest import fields
from soc.ingest.parsers.syslog import HIGHEST_PRIORITY, event
from soc.model.event import Row

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HEADER = re2.compile(
    r"^<(\d{1,3})>(?:"
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)"
    r"|(\d{4}-\d\d-\d\dT\S{1,30})"
    r") (\S{1,255}) (.*)$"
)
BARE = re2.compile(r"^<(\d{1,3})>(.*)$")
TAG = re2.compile(r"^([^\[:\s]{1,48})(?:\[([^\]]{1,48})\])?: ?(.*)$")


class Bsd:
    """Takes RFC 3164 messages, and whatever else begins with a priority.

    What the time lacks is taken from us: the year that brings it nearest to now, the zone (UTC
    unless the input says another), or all of it; then the event has soc.time_guessed.
    """

    name = "syslog-bsd"
    text = True

    def __init__(self, clock: Clock | None = None, zone: tzinfo = UTC) -> None:
        self._clock, self._zone = clock or SystemClock(), zone

    def claims(self, line: str) -> bool:
        """Return whether *line* begins with a priority."""
        return line.startswith("<") and BARE.match(line) is not None

    def parse(self, line: str) -> Row:
        """Return the message as an event; raises Refused for one without a priority."""
        bare = BARE.match(line)
        if not bare or int(bare[1]) > HIGHEST_PRIORITY:
            raise Refused(f"not syslog: begin with a priority of 0 to {HIGHEST_PRIORITY}, as <13>")
        found = HEADER.match(line)
        if not found:
            return self._event(line, int(bare[1]), None, None, bare[2])
        _, month, day, hour, minute, second, exact, host, rest = found.groups()
        if exact:
            moment = fields.moment(exact, "TIMESTAMP")
        else:
            moment = self._nearest(MONTHS.index(month) + 1, day, hour, minute, second)
        return self._event(line, int(bare[1]), moment, host, rest, guessed=not exact)

    def _event(
        self,
        line: str,
        priority: int,
        moment: datetime | None,
        host: str | None,
        rest: str,
        *,
        guessed: bool = True,
    ) -> Row:
        tag = TAG.match(rest)
        about = {"appname": tag[1], "procid": tag[2]} if tag else {}
        syslog = {key: value for key, value in about.items() if value}
        message = tag[3] if tag else rest
        when = moment or self._clock.now()
        return event(self.name, line, priority, when, host, syslog, message, guessed=guessed)

    def _nearest(self, month: int, *rest: str) -> datetime:
        """Return the moment in the year that brings it nearest to now; raises Refused."""
        now = self._clock.now()
        day, hour, minute, second = map(int, rest)
        found: list[datetime] = []
        for year in (now.year - 1, now.year, now.year + 1):
            try:
                read = datetime(year, month, day, hour, minute, second, tzinfo=self._zone)
            except ValueError:
                continue  # the 29th of February is not in every year
            found.append(read.astimezone(UTC))
        if not found:
            raise Refused("its time is not in the calendar: write as Nov 23 12:00:00")
        return min(found, key=lambda moment: abs(moment - now))
