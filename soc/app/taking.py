"""Take events from files: straight into the store, or through the front door that owns it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple
from urllib.parse import urlencode

import orjson
import pyarrow as pa

from soc.app import local
from soc.app.suite import Suite
from soc.errors import Refused
from soc.ingest.packed import BROKEN, opened
from soc.ingest.parse import Intake, restore
from soc.ingest.parsers.evtx import read_evtx
from soc.logs.port import Appended, OpenLog
from soc.model.event import Reject, Row, assign, to_columns
from soc.model.shard import first_of, shard_of

Append = Callable[[Sequence[bytes]], dict[str, Any]]
Found = Sequence[tuple[str, Row | Reject]]


class Lines(NamedTuple):
    """Events as they were sent: for each its text, its shipper's id or None, and its source."""

    text: Sequence[bytes]
    ids: Sequence[str | None]
    sources: Sequence[str]
    form: str = "auto"

    @classmethod
    def of(cls, text: Sequence[bytes], source: str, form: str = "auto") -> "Lines":
        """Return lines without ids, all from *source*."""
        return cls(text, [None] * len(text), [source] * len(text), form)


LONGEST_SOURCE = 128
REPLAYED = 10_000
"""Rejects that are asked about at once."""


def take(
    suite: Suite, files: Sequence[str], source: str, form: str, size: int, stdin: BinaryIO
) -> dict[str, Any]:
    """Append the events in *files*; return accepted, rejected, duplicates and the numbers given."""
    check_format(suite.intake, form, "ndjson", "evtx")
    check_source(source)
    counted = {"accepted": 0, "rejected": 0, "duplicates": 0, "first_seq": None, "last_seq": None}
    parser = "auto" if form in {"ndjson", "evtx"} else form
    with _appending(suite, source, parser) as append:
        for name in files:
            lines = _lines(name, form, stdin)
            while batch := list(islice(lines, size)):
                _count(counted, append(batch))
    return counted


def check_format(intake: Intake, form: str, *more: str) -> None:
    """Do nothing if there is a format *form*; raise Refused naming all, *more* among them."""
    known = ("auto", *more, *intake.formats)
    if form not in known:
        raise Refused(f"no format {form}: known are {', '.join(known)}")


def check_source(name: str) -> None:
    """Do nothing if a source can be called *name*; raise Refused."""
    if not 1 <= len(name) <= LONGEST_SOURCE or not name.isprintable():
        raise Refused(f"a source needs a name of 1 to {LONGEST_SOURCE} plain characters")


def replay(suite: Suite) -> dict[str, Any]:
    """Ask the parsers again about every reject; what one takes becomes an event, once."""
    counted = {"asked": 0, "accepted": 0, "duplicates": 0}
    with _replaying(suite) as ask:
        asked, after = REPLAYED, 0
        while asked == REPLAYED:
            page = ask(after)
            asked, after = page["asked"], page["last_seq"]
            counted = {name: count + page[name] for name, count in counted.items()}
    return counted


def replay_page(suite: Suite, log: OpenLog, after: int, limit: int) -> dict[str, Any]:
    """Ask the parsers about at most *limit* rejects of the own shard above number *after*.

    last_seq: the last one asked about; ask on from there until fewer than *limit* were asked.
    """
    columns = ["seq", "source", "raw"]
    own = shard_of(log.reader.view().upto)
    found = log.reader.rejects(max(after, first_of(own)), limit).select(columns).to_pylist()
    rows = [row for row in found if shard_of(row["seq"]) == own]
    lines = [(restore(row["raw"]), f"reject:{row['seq']}") for row in rows]
    again = zip(rows, suite.intake.read(lines), strict=True)
    taken = [(row["source"], parsed) for row, parsed in again if isinstance(parsed, Row)]
    stored = store(suite, log, taken) if taken else None
    return {
        "asked": len(rows),
        "accepted": stored.accepted if stored else 0,
        "duplicates": stored.duplicates if stored else 0,
        "last_seq": rows[-1]["seq"] if rows else after,
    }


def store(suite: Suite, log: OpenLog, found: Found) -> Appended:
    """Append rows, each with its source and in its class; return when they are on the disk."""
    columns = to_columns([row for _, row in found], suite.clock.now())
    return log.append(assign(columns, [source for source, _ in found], suite.classify.of(columns)))


def store_lines(suite: Suite, log: OpenLog, lines: Lines) -> Appended:
    """Append lines as the parsers read them; return when they are on the disk."""
    return log.append(_table(suite, lines))


def store_together(suite: Suite, log: OpenLog, many: Sequence[Lines]) -> list[Appended]:
    """Append what several callers sent as if it were one batch; return what became of each."""
    if len({lines.form for lines in many}) > 1:
        return [store_lines(suite, log, lines) for lines in many]
    texts, ids, sources = (
        list(chain.from_iterable(columns))
        for columns in zip(*(one[:3] for one in many), strict=True)
    )
    table = _table(suite, Lines(texts, ids, sources, many[0].form))
    is_reject = table["reason"].is_valid().to_pylist()
    return log.append(table).split([len(lines.text) for lines in many], is_reject)


def _table(suite: Suite, lines: Lines) -> pa.Table:
    """Return *lines* as a table of SCHEMA without numbers yet."""
    columns = suite.intake.table(lines.text, lines.ids, suite.clock.now(), lines.form)
    return assign(columns, lines.sources, suite.classify.of(columns))


@contextmanager
def _replaying(suite: Suite) -> Iterator[Callable[[int], dict[str, Any]]]:
    """Give a way to replay the rejects above a number: through the front door, else by the lock."""
    if local.is_served(suite.home.socket):
        target = f"/api/v1/rejects/replay?limit={REPLAYED}&after="
        yield lambda after: local.post(suite.home.socket, f"{target}{after}", b"")
        return
    with closing(suite.log()) as log:
        yield lambda after: replay_page(suite, log, after, REPLAYED)


@contextmanager
def _appending(suite: Suite, source: str, parser: str) -> Iterator[Append]:
    """Give a way to append: through the front door that owns the store, else by its lock."""
    if local.is_served(suite.home.socket):
        target = f"/api/v1/ingest?{urlencode({'source': source, 'format': parser})}"
        yield lambda lines: local.post(suite.home.socket, target, b"\n".join(lines), "text/plain")
        return
    with closing(suite.log()) as log:

        def append(lines: Sequence[bytes]) -> dict[str, Any]:
            return counts_of(store_lines(suite, log, Lines.of(lines, source, parser)))

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
    """Yield the events of a file; raises Refused, naming it, where it cannot be read further."""
    try:
        yield from _read(name, form, stdin)
    except BROKEN as broken:
        why = getattr(broken, "strerror", None) or broken
        raise Refused(f"{name}: cannot be read further: {why}") from broken


def _read(name: str, form: str, stdin: BinaryIO) -> Iterator[bytes]:
    if form == "evtx" or name.lower().endswith(".evtx"):
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
    with opened(path) as file:
        yield file
