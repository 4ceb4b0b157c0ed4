"""Take events from files: straight into the store, or through the front door that owns it."""

import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlencode

import orjson
import zstandard

from soc.app import local
from soc.app.suite import Suite
from soc.errors import Refused
from soc.ingest.parse import restore
from soc.ingest.parsers.evtx import read_evtx
from soc.logs.embedded import Appended, EmbeddedLog
from soc.model.event import REJECTS, Reject, Row, to_table

Append = Callable[[Sequence[bytes]], dict[str, Any]]


def take(
    suite: Suite, files: Sequence[str], source: str, form: str, size: int, stdin: BinaryIO
) -> dict[str, Any]:
    """Append the events in *files*; return accepted, rejected, duplicates and the numbers given."""
    known = ("auto", "ndjson", "evtx", *suite.intake.formats)
    if form not in known:
        raise Refused(f"no format {form}: known are {', '.join(known)}")
    counted = {"accepted": 0, "rejected": 0, "duplicates": 0, "first_seq": None, "last_seq": None}
    parser = "auto" if form in {"ndjson", "evtx"} else form
    with _appending(suite, source, parser) as append:
        for name in files:
            lines = _lines(name, form, stdin)
            while batch := list(islice(lines, size)):
                _count(counted, append(batch))
    return counted


def replay(suite: Suite) -> dict[str, Any]:
    """Ask the parsers again about every reject; what one takes becomes an event, once."""
    if local.is_served(suite.home.socket):
        return local.post(suite.home.socket, "/api/v1/rejects/replay?limit=1000", b"")
    rows = suite.reader.rejects(0, 1_000_000).select(["seq", "source", "raw"]).to_pylist()
    lines = [(restore(row["raw"]), f"reject:{row['seq']}") for row in rows]
    again = zip(rows, suite.intake.read(lines), strict=True)
    taken = [(row["source"], parsed) for row, parsed in again if isinstance(parsed, Row)]
    with closing(suite.log()) as log:
        done = [store(log, source, [row], suite) for source, row in taken]
    return {
        "asked": len(rows),
        "accepted": sum(one.accepted for one in done),
        "duplicates": sum(one.duplicates for one in done),
    }


def store(log: EmbeddedLog, source: str, rows: Sequence[Row | Reject], suite: Suite) -> Appended:
    """Append *rows* of one source, each in its class."""
    classes = [REJECTS if isinstance(r, Reject) else suite.classify(r) for r in rows]
    return log.append(to_table(rows, source, suite.clock.now(), classes))


@contextmanager
def _appending(suite: Suite, source: str, parser: str) -> Iterator[Append]:
    """Give a way to append: through the front door that owns the store, else by its lock."""
    if local.is_served(suite.home.socket):
        target = f"/api/v1/ingest?{urlencode({'source': source, 'format': parser})}"
        yield lambda lines: local.post(suite.home.socket, target, b"\n".join(lines), "text/plain")
        return
    with closing(suite.log()) as log:

        def append(lines: Sequence[bytes]) -> dict[str, Any]:
            rows = suite.intake.read(((line, None) for line in lines), parser)
            return counts_of(store(log, source, rows, suite))

        yield append


def counts_of(appended: Appended) -> dict[str, Any]:
    """Return what became of a batch, as the command line tells it."""
    return {
        "accepted": appended.accepted,
        "rejected": appended.rejected,
        "duplicates": appended.duplicates,
        "first_seq": appended.first,
        "last_seq": appended.last,
    }


def _count(counted: dict[str, Any], more: dict[str, Any]) -> None:
    for name in ("accepted", "rejected", "duplicates"):
        counted[name] += more[name]
    if more["first_seq"] is not None:
        counted["first_seq"] = counted["first_seq"] or more["first_seq"]
        counted["last_seq"] = more["last_seq"]


def _lines(name: str, form: str, stdin: BinaryIO) -> Iterator[bytes]:
    if form == "evtx" or name.endswith(".evtx"):
        for _, document in read_evtx(Path(name)):
            if isinstance(document, Refused):
                yield orjson.dumps({"evtx": name, "error": document.reason})
            else:
                yield orjson.dumps(document)
        return
    with _open(name, stdin) as file:
        for line in file:
            if line.strip():
                yield line.rstrip(b"\r\n")


@contextmanager
def _open(name: str, stdin: BinaryIO) -> Iterator[IO[bytes]]:
    if name == "-":
        yield stdin
        return
    path = Path(name)
    if not path.is_file():
        raise Refused(f"{name}: no such file")
    if path.suffix == ".zst":
        with path.open("rb") as raw:
            yield io.BufferedReader(cast(Any, zstandard.ZstdDecompressor().stream_reader(raw)))
    elif path.suffix == ".gz":
        with gzip.open(path) as packed:
            yield cast(IO[bytes], packed)
    else:
        with path.open("rb") as plain:
            yield plain
