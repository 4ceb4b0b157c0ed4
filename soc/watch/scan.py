"""Scan files of events with Sigma rules: no home, no state."""

import resource
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soc import clock
from soc.detect.sigma.cache import RuleCache
from soc.detect.sigma.event import Document, field
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.rule import Hit
from soc.detect.sigma.ruleset import Outcome, Ruleset
from soc.errors import Refused
from soc.ingest.eventlog import TIMES, time_of
from soc.model.value import rfc3339
from soc.watch.pieces import Piece, pieces

if TYPE_CHECKING:
    from soc.watch.together import Together

MAX_REPORTED = 100
SUFFIXES = (".json", ".jsonl", ".ndjson", ".evtx")
PACKED = (".zst", ".gz")


class Scan(Iterator[dict[str, Any]]):
    """The hits of a scan, one for each event and rule, and in the end its figures."""

    def __init__(
        self,
        rules: Sequence[Path],
        events: Sequence[Path],
        pipelines: Sequence[str] | None,
        cache: RuleCache | None,
    ) -> None:
        self._began = clock.monotonic()
        self._cpu = _cpu_seconds()
        self._ruleset = load_rules(rules, pipelines, cache)
        self._files = [file for path in events for file in _files(path)]
        self._events = 0
        self._hits = 0
        self._rules_hit: set[str] = set()
        self._failed: list[dict[str, Any]] = []
        self._failures = 0
        self._broken: list[dict[str, Any]] = []
        self._together = _together(self._ruleset)
        self._is_told = True
        self._stream = self._scan()

    def __next__(self) -> dict[str, Any]:
        return next(self._stream)

    def count(self) -> None:
        """Read all that is left, and only count the hits: telling why each is one takes a while."""
        self._is_told = False
        for _ in self._stream:
            pass

    def summary(self) -> dict[str, Any]:
        """Return what was read and found up to now.

        events_failed counts lines that are no events, and rules that could not be evaluated on
        one; the first hundred are told in events_failed_at. files_failed are those that could
        not be read to their end.
        """
        return {
            "events": self._events,
            "events_failed": self._failures,
            "events_failed_at": self._failed,
            "files_failed": self._broken,
            "rules_loaded": len(self._ruleset.rules) + len(self._ruleset.correlations),
            "rules_failed": [
                {"path": str(problem.path), "line": problem.line, "reason": problem.message}
                for problem in self._ruleset.failed
            ],
            "pipelines": list(self._ruleset.pipelines),
            "hits": self._hits,
            "hits_left_out": self._together.left_out if self._together else 0,
            "rules_hit": len(self._rules_hit),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "wall_seconds": round(clock.monotonic() - self._began, 3),
            "peak_rss_mb": round(_peak_rss_mb(), 1),
        }

    def _scan(self) -> Iterator[dict[str, Any]]:
        for piece in chain.from_iterable(map(pieces, self._files)):
            yield from self._match(piece)
        for name, line in self._together.results() if self._together else ():
            self._note(name)
            yield line

    def _match(self, piece: Piece) -> Iterator[dict[str, Any]]:
        documents: Iterable[Document | None] = self._events_of(piece)
        if self._together:  # it wants the time of every event
            documents = list(documents)
        outcomes = self._ruleset.match_each(documents, piece.texts, piece.event, len(piece))
        if self._together:
            self._correlate(self._together, piece, zip(documents, outcomes, strict=True))
        for index, (hits, errors) in enumerate(outcomes):
            for hit in hits:
                if hit.rule.name not in self._ruleset.silent:
                    self._note(hit.rule.name)
                    if self._is_told:
                        yield _told(hit, piece.file, piece.numbers[index], hit.event.document)
            for failure in errors:
                self._fail(piece, index, f"rule {failure.rule.name}: {failure.reason}")

    def _events_of(self, piece: Piece) -> Iterator[Document | None]:
        """Yield each event of *piece*, and None in the place of what is none."""
        missing = 0
        for index, found in enumerate(piece.events()):
            if type(found) is dict:
                yield found
                continue
            missing += 1
            if isinstance(found, Refused):
                self._fail(piece, index, found.reason)
            yield None
        self._events += len(piece) - missing

    def _note(self, rule: str) -> None:
        self._hits += 1
        self._rules_hit.add(rule)

    def _correlate(
        self,
        together: "Together",
        piece: Piece,
        matched: Iterable[tuple[Document | None, Outcome]],
    ) -> None:
        """Keep hits for those that count them; an event without a time is a failure."""
        for index, (document, (hits, _)) in enumerate(matched):
            if document is None:
                continue
            counted = [hit for hit in hits if together.counts(hit)]
            try:
                moment = time_of(document)
            except Refused as timeless:
                if counted:
                    self._fail(piece, index, f"it cannot be correlated: {timeless.reason}")
                continue
            together.hear(moment)
            if counted:
                place = (piece.file, piece.numbers[index])
                for reason in together.take(counted, moment, *place):
                    self._fail(piece, index, reason)

    def _fail(self, piece: Piece, index: int, reason: str) -> None:
        self._failures += 1
        told = {"file": piece.file, "line": piece.numbers[index], "reason": reason}
        if piece.ends:
            self._broken.append(told)
        if len(self._failed) < MAX_REPORTED:
            self._failed.append(told)


def scan(
    rules: Sequence[Path],
    events: Sequence[Path],
    pipelines: Sequence[str] | None = None,
    cache: RuleCache | None = None,
) -> Scan:
    """Return the hits of *rules* on *events*, files or folders, as they are found.

    pipelines: names; None are the usual ones, ``none`` is none. cache: where compiled rules are
    found again. Raises Refused for a pipeline or a path that does not exist.
    """
    return Scan(rules, events, pipelines, cache)


def _together(ruleset: Ruleset) -> "Together | None":
    """Return what correlates hits, if a rule does."""
    if not ruleset.correlations:
        return None
    from soc.watch.together import Together  # NumPy and pydantic's models

    return Together(ruleset)


def _told(hit: Hit, file: str, line: int, document: Document) -> dict[str, Any]:
    near = [lacking._asdict() for lacking in hit.nearest_filter]
    return {
        "rule_id": hit.rule.id,
        "rule_title": hit.rule.title,
        "level": hit.rule.level,
        "file": file,
        "line": line,
        "timestamp": _timestamp(document),
        "matched": [match.model_dump() for match in hit.matched],
    } | ({"nearest_filter": near} if near else {})


def _timestamp(document: Mapping[str, Any]) -> str | None:
    """Return when it happened; a time that cannot be read comes as it is written."""
    try:
        return rfc3339(time_of(document))
    except Refused:
        return next((text for name in TIMES if (text := field(document, name))), None)


def _files(path: Path) -> list[Path]:
    """Return *path*, or the files of events in the folder that it is."""
    if not path.exists():
        raise Refused(f"there is no file or folder {path}")
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if _kind(file) in SUFFIXES and file.is_file())


def _kind(path: Path) -> str:
    """Return the ending that tells what is in the file, without that of its packing."""
    name = Path(path.stem) if path.suffix.lower() in PACKED else path
    return name.suffix.lower()


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
