"""Scan files of events with Sigma rules: no home, no state."""

import io
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from soc import clock
from soc.detect.sigma.cache import RuleCache
from soc.detect.sigma.event import Document, field
from soc.detect.sigma.load import load_rules
from soc.detect.sigma.rule import Hit
from soc.detect.sigma.ruleset import TOGETHER
from soc.errors import Refused
from soc.ingest.packed import BROKEN, opened
from soc.ingest.parsers.evtx import read_evtx
from soc.ingest.parsers.windows import TIMES, flatten, is_nested, time_of
from soc.model.value import rfc3339
from soc.watch.together import Together

MAX_LINE = 16 * 1024 * 1024
MAX_WHOLE = 256 * 1024 * 1024
"""A file that is one JSON value over several lines may have this many bytes."""

MAX_REPORTED = 100
SUFFIXES = (".json", ".jsonl", ".ndjson", ".evtx")
PACKED = (".zst", ".gz")


class Seen(NamedTuple):
    """One event of a file, or the reason why there is none.

    text: what was read, if it is one line of JSON. ends: the file was not read on.
    """

    file: str
    line: int
    document: Document | Refused
    text: bytes | None = None
    ends: bool = False


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
        self._together = Together(self._ruleset)
        self._stream = self._scan()

    def __next__(self) -> dict[str, Any]:
        return next(self._stream)

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
            "hits_left_out": self._together.left_out,
            "rules_hit": len(self._rules_hit),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "wall_seconds": round(clock.monotonic() - self._began, 3),
            "peak_rss_mb": round(_peak_rss_mb(), 1),
        }

    def _scan(self) -> Iterator[dict[str, Any]]:
        read = chain.from_iterable(map(_read, self._files))
        while some := list(islice(read, TOGETHER)):
            events = []
            for seen in some:
                if isinstance(seen.document, Refused):
                    self._fail(seen, seen.document.reason)
                else:
                    events.append((seen, seen.document))
            yield from self._match(events)
        for name, line in self._together.results():
            self._note(name)
            yield line

    def _match(self, events: Sequence[tuple[Seen, Document]]) -> Iterator[dict[str, Any]]:
        self._events += len(events)
        texts = [seen.text for seen, _ in events if seen.text is not None]
        written = texts if len(texts) == len(events) else None
        outcomes = self._ruleset.match_all([document for _, document in events], written)
        for (seen, document), (hits, errors) in zip(events, outcomes, strict=True):
            if self._together:
                self._correlate(hits, seen, document)
            for hit in hits:
                if hit.rule.name not in self._ruleset.silent:
                    self._note(hit.rule.name)
                    yield _told(hit, seen, document)
            for failure in errors:
                self._fail(seen, f"rule {failure.rule.name}: {failure.reason}")

    def _note(self, rule: str) -> None:
        self._hits += 1
        self._rules_hit.add(rule)

    def _correlate(self, hits: Sequence[Hit], seen: Seen, document: Document) -> None:
        """Keep *hits* for those that count them; an event without a time is a failure."""
        counted = [hit for hit in hits if self._together.counts(hit)]
        try:
            moment = time_of(document)
        except Refused as timeless:
            if counted:
                self._fail(seen, f"it cannot be correlated: {timeless.reason}")
            return
        self._together.hear(moment)
        if counted:
            for reason in self._together.take(counted, moment, seen.file, seen.line):
                self._fail(seen, reason)

    def _fail(self, seen: Seen, reason: str) -> None:
        self._failures += 1
        if seen.ends:
            self._broken.append({"file": seen.file, "line": seen.line, "reason": reason})
        if len(self._failed) < MAX_REPORTED:
            self._failed.append({"file": seen.file, "line": seen.line, "reason": reason})


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


def _told(hit: Hit, seen: Seen, document: Mapping[str, Any]) -> dict[str, Any]:
    near = [lacking._asdict() for lacking in hit.nearest_filter]
    return {
        "rule_id": hit.rule.id,
        "rule_title": hit.rule.title,
        "level": hit.rule.level,
        "file": seen.file,
        "line": seen.line,
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


def _read(path: Path) -> Iterator[Seen]:
    """Yield the events of a file in turn; what ends it early comes as the last."""
    name, line = str(path), 0
    try:
        if path.suffix.lower() == ".evtx":
            for line, found in read_evtx(path):
                yield Seen(name, line, found)
        else:
            for line, document, text in _json(path):
                yield Seen(name, line, document, text)
    except Refused as refused:
        yield Seen(name, line + 1, refused, ends=True)
    except BROKEN as broken:
        yield Seen(name, line + 1, Refused(f"cannot be read further: {broken}"), ends=True)


def _json(path: Path) -> Iterator[tuple[int, Document | Refused, bytes | None]]:
    """Yield the objects of a file that has one a line, or is one array or object as a whole."""
    with opened(path) as stream:
        first = stream.readline(MAX_LINE)
        if not _is_whole(first.removeprefix(b"\xef\xbb\xbf")):
            yield from _lines(first.removeprefix(b"\xef\xbb\xbf"), stream)
            return
        text = first.removeprefix(b"\xef\xbb\xbf") + stream.read(MAX_WHOLE)
        if len(text) >= MAX_WHOLE:
            raise Refused(f"{path} is one JSON value of more than {MAX_WHOLE} bytes: one a line")
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield from _lines(b"", io.BytesIO(text))
        return
    for number, document in enumerate(whole if isinstance(whole, list) else [whole], start=1):
        yield number, _event(document), None


def _is_whole(first: bytes) -> bool:
    """Return whether the first line begins a JSON value that goes on in the next ones."""
    if first.lstrip().startswith(b"["):
        return True
    if not first.lstrip().startswith(b"{"):
        return False
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return True
    return False


def _lines(
    first: bytes, stream: IO[bytes]
) -> Iterator[tuple[int, Document | Refused, bytes | None]]:
    number, line = 1, first or stream.readline(MAX_LINE)
    while line:
        if len(line) >= MAX_LINE and not line.endswith(b"\n"):
            while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
            yield number, Refused(f"longer than {MAX_LINE} bytes: split the event"), None
        elif not line.isspace():
            yield number, _parse(line), line
        number, line = number + 1, stream.readline(MAX_LINE)


def _parse(line: bytes) -> Document | Refused:
    try:
        return _event(orjson.loads(line))
    except orjson.JSONDecodeError as wrong:
        return Refused(f"not JSON: {wrong}")


def _event(document: object) -> Document | Refused:
    if type(document) is not dict:
        return Refused("JSON, but no object: write one object a line")
    return flatten(document) if is_nested(document) else document


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
