"""Figures of this installation: measured for whoever asks, and told when they are bad."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlmodel import Session, col, delete, select

from soc.app.suite import Suite
from soc.content.kinds import duration
from soc.errors import NotFound, QueryError
from soc.incidents.alerts import key_of
from soc.incidents.kpis.change import change
from soc.incidents.kpis.definitions import ALL, BY_SLUG, Kpi
from soc.incidents.kpis.measure import Level, Read, measure, rows_of
from soc.incidents.kpis.rows import Rows, Sources
from soc.incidents.record import record
from soc.logs.query import Asking
from soc.model.finding import Finding, about_suite
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.store.locks import alone
from soc.store.session import reading, session
from soc.store.tables import Alert, Timing
from soc.watch.tick import Watch

Plain = dict[str, Any]
FRESH = timedelta(seconds=30)
"""For so long the same figures are shown again."""
LONGEST = timedelta(days=366)
HOUR = timedelta(hours=1)
KEPT = timedelta(days=100)
"""How long it is known how long detectors took."""
FINE = 100
"""Milliseconds from which on two digits are enough."""
JUDGED = tuple(kpi for kpi in ALL if kpi.levels)
SEVERITY = {Level.WARNING: Severity.MEDIUM, Level.CRITICAL: Severity.HIGH}


def window_of(text: str) -> timedelta:
    """Return the span that *text* writes, such as ``7d``; raises QueryError."""
    try:
        found = duration(text)
    except ValueError as wrong:
        raise QueryError(f"window: {wrong}") from wrong
    if found > LONGEST:
        raise QueryError(f"window: write at most {LONGEST.days}d")
    return found


def sources(
    suite: Suite, looking: Session, window: timedelta, until: datetime | None = None
) -> Sources:
    """Return where the figures of the *window* that ends at *until*, or now, come from."""
    until = until or suite.clock.now()
    events = Asking(suite.stored, suite.settings.logs) if suite.stored else None
    return Sources(looking, events, suite.settings, until - window, until)


def figures(suite: Suite, window: timedelta, wanted: Iterable[Kpi] = ALL) -> list[Plain]:
    """Return the figures of the last *window*."""
    with reading(suite.database) as looking:
        return measure(sources(suite, looking, window), wanted)


def changes(suite: Suite, around: datetime, window: timedelta) -> list[Plain]:
    """Return how the figures of the *window* after *around* differ from those before it.

    Raises QueryError while the window after it is not over.
    """
    if around + window > suite.clock.now():
        raise QueryError("the window after that moment is not over: choose a shorter one")
    before, after = windows(suite, around + window, window, 2)
    return [change(one, other) for one, other in zip(before, after, strict=True)]


def windows(suite: Suite, until: datetime, window: timedelta, count: int) -> list[list[Plain]]:
    """Return the figures of the last *count* windows that end at *until*, the oldest first."""
    ends = [until - number * window for number in reversed(range(count))]
    with reading(suite.database) as looking:
        return [measure(sources(suite, looking, window, end)) for end in ends]


def rows(suite: Suite, slug: str, window: timedelta) -> Rows:
    """Return what the figure *slug* of the last *window* is made of; raises NotFound."""
    with reading(suite.database) as looking:
        found = rows_of(sources(suite, looking, window), slug)
    if found is None:
        raise NotFound("kpi", slug)
    return found


class Board:
    """Figures that many look at: measured once for all who ask within FRESH."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._lock = Lock()
        self._known: dict[timedelta, tuple[datetime, list[Plain], Read]] = {}

    def figures(self, window: timedelta) -> list[Plain]:
        """Return the figures of the last *window*, as of a moment ago at most."""
        return self._measured(window)[1]

    def rows(self, slug: str, window: timedelta) -> Rows:
        """Return what the figure *slug* of the same moment is made of."""
        return self._measured(window)[2][BY_SLUG[slug].source]

    def _measured(self, window: timedelta) -> tuple[datetime, list[Plain], Read]:
        with self._lock:
            now = self._suite.clock.now()
            known = self._known.get(window)
            if known is None or not known[0] <= now < known[0] + FRESH:
                # Rows may be many: only those of the last window that was asked for are kept.
                self._known.clear()
                read: Read = {}
                with reading(self._suite.database) as looking:
                    told = measure(sources(self._suite, looking, window), ALL, read)
                known = self._known[window] = (now, told, read)
            return known


class Gauges:
    """Keeps how long detectors take, and tells of each figure that is bad, once an hour."""

    def __init__(self, suite: Suite, watch: Watch) -> None:
        self._suite, self._watch = suite, watch

    def look(self) -> list[str]:
        """Keep timings, and make a finding of each figure of this hour that crosses a level.

        Return the rules that found one. One alert for each hour and level: who counts again later,
        or elsewhere, adds nothing.
        """
        self._keep()
        now = self._suite.clock.now()
        width = self._suite.settings.detect.bucket
        begin = bucket_of(now, width)
        with reading(self._suite.database) as looking:
            given = sources(self._suite, looking, now - begin, now)
            told = [_finding(one, begin, now) for one in measure(given, JUDGED)]
        found = [finding for finding in told if finding]
        if not found:
            return []
        with session(self._suite.database) as writing:
            alone(writing, "kpis")
            new = [finding for finding in found if not _is_known(writing, finding)]
            record(writing, new, {}, now, self._suite.settings.incidents)
        return [finding.rule for finding in new]

    def _keep(self) -> None:
        """Put what detectors took into its row; forget what is too old."""
        taken: dict[tuple[str, int], int] = {}
        while self._watch.timings:
            name, seconds = self._watch.timings.popleft()
            key = name, _rounded(round(seconds * 1_000))
            taken[key] = taken.get(key, 0) + 1
        if not taken:
            return
        hour = bucket_of(self._suite.clock.now(), HOUR)
        with session(self._suite.database) as writing:
            alone(writing, "timings")
            for (name, took), windows in sorted(taken.items()):
                row = writing.get(Timing, (hour, name, took))
                row = row or Timing(hour=hour, detector=name, took_ms=took)
                row.windows += windows
                writing.add(row)
            writing.execute(delete(Timing).where(col(Timing.hour) < hour - KEPT))


def _rounded(milliseconds: int) -> int:
    step = 1
    while milliseconds // step >= FINE:
        step *= 10
    return round(milliseconds / step) * step


def _finding(told: Plain, bucket: datetime, now: datetime) -> Finding | None:
    level = Level(told["level"])
    severity = SEVERITY.get(level)
    if severity is None:
        return None
    entity = Entity(kind=EntityKind.SOURCE, value=f"kpi {told['kpi']} {level}")
    limit = told["thresholds"][1 if level is Level.WARNING else 2]
    words = (
        f"{told['value']:g} {told['unit'].replace('_', ' ')} since {bucket:%Y-%m-%d %H:%M} UTC, of "
        f"{told['n']:,}; {level} from {limit:g}"
    )
    title = f"{told['title']}: {level}"
    slug = f"soc-kpi-{told['kpi']}"
    return about_suite(slug, title, entity, severity, bucket, now, words, first=bucket)


def _is_known(writing: Session, finding: Finding) -> bool:
    key = key_of(finding)
    known = select(Alert.id).where(col(Alert.key).startswith(key)).limit(1)
    return writing.exec(known).first() is not None
