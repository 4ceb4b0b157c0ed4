"""Move detectors over the log: one window, one transaction."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlmodel import Session

from soc.clock import Clock, monotonic
from soc.detect.detector import Detector, Failure, Mode, Observed
from soc.errors import SocError, StoreError, WindowTaken
from soc.funding import projection
from soc.incidents.alerts import Evidence
from soc.incidents.record import Change, record
from soc.logs.following import Following, following
from soc.logs.reader import LogReader
from soc.model.finding import Finding, NotReady, about_suite
from soc.model.shard import Marks, between, text_of
from soc.model.value import Entity, EntityKind, Severity, bucket_of
from soc.settings import Settings
from soc.store import rule_states, windows
from soc.store.session import Database, reading, session
from soc.store.windows import Window

MOST_TIMINGS = 10_000
BURST = 50
"""Windows that one detector takes in one tick at most."""
PROJECTION = "funding"
Follow = Callable[[Session, tuple[Change, ...], datetime], None]
"""What follows from changed incidents, in the transaction of their window."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one look of one detector came to. moved: events it saw. failed: why it saw none.

    more: whether there are events that it has not seen.
    """

    detector: str
    moved: int = 0
    findings: int = 0
    incidents: tuple[int, ...] = ()
    not_ready: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    failed: str = ""
    windows: int = 1
    more: bool = False

    def and_then(self, more: "Ticked") -> "Ticked":
        """Return this look and the next one as one."""
        return replace(
            more,
            windows=self.windows + more.windows,
            moved=self.moved + more.moved,
            findings=self.findings + more.findings,
            incidents=tuple(sorted({*self.incidents, *more.incidents})),
            failures=self.failures + more.failures,
        )


class Watch:
    """All detectors over one log."""

    def __init__(
        self,
        reader: LogReader,
        database: Database,
        clock: Clock,
        settings: Settings,
        detectors: Mapping[str, Detector[Any]],
        modes: Mapping[str, Mode],
        follow: Follow,
    ) -> None:
        self._reader, self._database, self._clock = reader, database, clock
        self._settings, self._detectors, self._follow = settings, detectors, follow
        self._modes = modes
        self.timings: deque[tuple[str, float]] = deque(maxlen=MOST_TIMINGS)
        """How many seconds each detector took for a window of events, until somebody takes it."""
        self._shared: dict[str, Following] | None = None
        """While all take a window: what was read, by the marks after which it begins."""
        self._states: dict[str, tuple[str, Any]] = {}
        """What each detector wrote down last, and what that says: few others write there."""
        with session(database) as writing:
            windows.register(writing, [PROJECTION, *detectors])

    def change(self, detectors: Mapping[str, Detector[Any]], modes: Mapping[str, Mode]) -> None:
        """Go on with *detectors*, each where the one of its name stood."""
        self._detectors, self._modes = detectors, modes
        self._states.clear()

    def tick(self, upto: Marks | None = None) -> list[Ticked]:
        """Let every detector take its next window; return what each came to.

        Whoever left something takes the next, too: a burst is caught up with in one tick.
        """
        moves = {PROJECTION: lambda: self._project(upto)}
        moves |= {one.name: partial(self.advance, one, upto) for one in self._detectors.values()}
        ticked: dict[str, Ticked] = {}
        behind = list(moves)
        for _ in range(BURST):
            self._shared = {}
            latest = {name: self._guarded(name, moves[name]) for name in behind}
            for name, one in latest.items():
                ticked[name] = ticked[name].and_then(one) if name in ticked else one
            behind = [name for name, one in latest.items() if one.more]
            if not behind:
                break
        self._shared = None
        return list(ticked.values())

    def drain(self, upto: Marks | None = None) -> list[Ticked]:
        """Tick until no detector finds anything new to read."""
        done = ticks = self.tick(upto)
        while any(tick.moved for tick in ticks):
            ticks = self.tick(upto)
            done = [*done, *ticks]
        return done

    def advance(self, detector: Detector[Any], upto: Marks | None = None) -> Ticked:
        """Show *detector* the events it has not seen; keep all that follows from them, or nothing.

        Reading and judging come before the transaction, so a slow detector holds no lock. Raises
        WindowTaken if another worker was faster.
        """
        old, found = self._next(detector.name, upto)
        batch = found.batch
        now, began = self._clock.now(), monotonic()
        observed = detector.observe(batch, self._state(detector, old.state), now)
        if len(batch):
            self.timings.append((detector.name, monotonic() - began))
        new = Window(
            detector=old.detector,
            marks=dict(found.marks),
            state=observed.state.model_dump_json(),
        )
        if new == old and not observed.findings:
            self._states[detector.name] = new.state, observed.state
            return _ticked(detector.name, observed, found, 0, ())
        findings = self._switched(observed.findings, now)
        evidence = self._evidence(detector.name, findings)
        with session(self._database) as writing:
            windows.move(writing, old, new, now)
            settings = self._settings.incidents
            changes = record(writing, findings, evidence, now, settings)
            self._follow(writing, changes, now)
        self._states[detector.name] = new.state, observed.state
        moved = between(old.marks, new.marks)
        return _ticked(detector.name, observed, found, moved, changes)

    def _state(self, detector: Detector[Any], written: str) -> Any:  # noqa: ANN401 - each has its own
        """Return what *detector* remembers, as it is *written*."""
        known, state = self._states.pop(detector.name, ("", None))
        return state if state and known == written else detector.state.model_validate_json(written)

    def _project(self, upto: Marks | None) -> Ticked:
        """Move the projection of rounds and gifts, a window like any other, first of all."""
        old, found = self._next(PROJECTION, upto)
        if not (moved := between(old.marks, found.marks)):
            return Ticked(PROJECTION)
        new = Window(detector=PROJECTION, marks=dict(found.marks))
        with session(self._database) as writing:
            windows.move(writing, old, new, self._clock.now())
            projection.project(writing, found.batch)
        return Ticked(PROJECTION, moved, more=found.more)

    def _next(self, name: str, upto: Marks | None) -> tuple[Window, Following]:
        """Return where *name* stands, and the events after it."""
        with reading(self._database) as looking:
            old = windows.read(looking, name)
        shared = self._shared if self._shared is not None else {}
        key = text_of(old.marks)
        if key not in shared:
            shared[key] = following(self._reader, old.marks, self._settings.detect.window, upto)
        return old, shared[key]

    def _guarded(self, name: str, move: Callable[[], Ticked]) -> Ticked:
        try:
            return move()
        except WindowTaken:
            return Ticked(name)
        except StoreError:
            raise  # says nothing about the detector, and could not be written down
        except Exception as failed:  # noqa: BLE001 - one of the five edges: what raises has judged nothing
            foreseen = isinstance(failed, SocError)
            reason = str(failed) if foreseen else f"{type(failed).__name__}: {failed}"
            now = self._clock.now()
            told = _failure(name, reason, now, self._settings)
            with session(self._database) as writing:
                windows.fail(writing, name, reason, now)
                record(writing, [told], {}, now, self._settings.incidents)
            return Ticked(name, failed=reason)

    def _switched(self, findings: tuple[Finding, ...], now: datetime) -> tuple[Finding, ...]:
        """Leave out what a person switched off; mark what is only watched."""
        with reading(self._database) as looking:
            switched = rule_states.in_force(looking, now)
        kept = []
        for finding in findings:
            mode = switched.get(finding.rule, self._modes.get(finding.rule, Mode.ACTIVE))
            if mode != Mode.DISABLED:
                kept.append(finding.model_copy(update={"monitor": mode == Mode.MONITOR}))
        return tuple(kept)

    def _evidence(self, name: str, findings: tuple[Finding, ...]) -> dict[int, Evidence]:
        """Return the events of *findings*.

        Raises WindowTaken where a worker beside its front door has seen what the cluster has not
        got yet: whoever sees all of it goes on.
        """
        seqs = sorted({seq for finding in findings for seq in finding.seqs})
        if not self._reader.sees(seqs):
            raise WindowTaken(name)
        rows = self._reader.events(seqs).select(["seq", "ts", "source", "raw"]).to_pylist()
        return {row["seq"]: Evidence(**row) for row in rows}


def _failure(name: str, reason: str, now: datetime, settings: Settings) -> Finding:
    """Return what people must know: nothing that this detector watches is watched."""
    entity = Entity(kind=EntityKind.SOURCE, value=f"detector {name}")
    title = f"The detector {name} cannot judge its events"
    bucket = bucket_of(now, settings.detect.bucket)
    return about_suite("soc-detector-failed", title, entity, Severity.HIGH, bucket, now, reason)


def _ticked(
    name: str,
    observed: Observed[Any],
    found: Following,
    moved: int,
    changes: tuple[Change, ...],
) -> Ticked:
    waiting = tuple(a.reason for a in observed.answers if isinstance(a, NotReady))
    numbers = tuple(change.incident for change in changes)
    failures = observed.failures
    return Ticked(name, moved, len(observed.findings), numbers, waiting, failures, more=found.more)
