"""Read files of events in pieces: lines of JSON are kept as they are until someone asks."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import orjson

from soc.detect.sigma.event import Document
from soc.detect.sigma.ruleset import TOGETHER
from soc.errors import Refused
from soc.ingest.eventlog import flatten, is_nested
from soc.ingest.packed import BROKEN, opened
from soc.ingest.parsers.evtx import read_evtx

MAX_LINE = 16 * 1024 * 1024
MAX_WHOLE = 256 * 1024 * 1024
"""A file that is one JSON value over several lines may have this many bytes."""
CHUNK = 1 << 20
"""Bytes that are read together, at least."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Events of a file that follow each other.

    numbers: of their lines. texts: the lines, if they are lines of JSON. others: otherwise the
    events, or the reasons why there are none. ends: with this the file breaks off.
    """

    file: str
    numbers: Sequence[int]
    texts: Sequence[bytes] | None = None
    others: Sequence[Document | Refused] = ()
    ends: bool = False

    def __len__(self) -> int:
        return len(self.numbers)

    def events(self) -> Iterator[Document | Refused | None]:
        """Yield each event, or the reason why there is none; None for an empty line."""
        return iter(self.others) if self.texts is None else map(_parse, self.texts)

    def event(self, index: int) -> Document:
        """Return one of the events, which must be there."""
        found = self.others[index] if self.texts is None else _parse(self.texts[index])
        assert found is not None  # noqa: S101 - for types, as the next
        assert not isinstance(found, Refused)  # noqa: S101
        return found


def pieces(path: Path) -> Iterator[Piece]:
    """Yield the events of a file in turn; what ends it early comes as the last."""
    name, line = str(path), 0
    try:
        for piece in _evtx(path) if path.suffix.lower() == ".evtx" else _json(path):
            line = piece.numbers[-1]
            yield piece
    except Refused as refused:
        yield Piece(name, [line + 1], others=[refused], ends=True)
    except BROKEN as broken:
        reason = Refused(f"cannot be read further: {broken}")
        yield Piece(name, [line + 1], others=[reason], ends=True)


def _evtx(path: Path) -> Iterator[Piece]:
    return _gathered(path, read_evtx(path))


def _gathered(path: Path, read: Iterable[tuple[int, Document | Refused]]) -> Iterator[Piece]:
    """Yield what is *read* some thousand at a time; what breaks off comes after all before it."""
    events, some, broken = iter(read), list[tuple[int, Document | Refused]](), None
    while broken is None:
        some = []
        try:
            some.extend(islice(events, TOGETHER))
        except (Refused, *BROKEN) as why:
            broken = why
        if some:
            numbers, others = zip(*some, strict=True)
            yield Piece(str(path), numbers, others=others)
        if len(some) < TOGETHER:
            break
    if broken is not None:
        raise broken


def _json(path: Path) -> Iterator[Piece]:
    """Yield the objects of a file that has one a line, or is one array or object as a whole."""
    with opened(path) as stream:
        first = stream.readline(MAX_LINE).removeprefix(b"\xef\xbb\xbf")
        if not _is_whole(first):
            yield from _lines(path, first, stream)
            return
        text = first + stream.read(MAX_WHOLE)
        if len(text) >= MAX_WHOLE:
            raise Refused(f"{path} is one JSON value of more than {MAX_WHOLE} bytes: one a line")
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield from _lines(path, b"", io.BytesIO(text))
        return
    events = whole if isinstance(whole, list) else [whole]
    yield from _gathered(path, enumerate(map(_event, events), start=1))


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


def _lines(path: Path, first: bytes, stream: IO[bytes]) -> Iterator[Piece]:
    """Yield the lines of a file, of which *first* was read; a line that is too long is refused."""
    name, number, rest, is_long = str(path), 1, first, False
    for chunk in _chunks(stream):
        *lines, rest = (rest + chunk).split(b"\n")
        if is_long and lines:
            yield _too_long(name, number)
            lines, number, is_long = lines[1:], number + 1, False
        if lines:
            yield Piece(name, range(number, number + len(lines)), lines)
            number += len(lines)
        if is_long or len(rest) >= MAX_LINE:
            rest, is_long = b"", True
    if is_long:
        yield _too_long(name, number)
    elif rest:
        yield Piece(name, [number], [rest])


def _too_long(name: str, number: int) -> Piece:
    reason = Refused(f"longer than {MAX_LINE} bytes: split the event")
    return Piece(name, [number], others=[reason])


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what is in *stream*; where it breaks off, first what could be read before."""
    read = getattr(stream, "read1", stream.read)
    parts, size = list[bytes](), 0
    try:
        while part := read(CHUNK):
            parts.append(part)
            size += len(part)
            if size >= CHUNK:
                yield b"".join(parts)
                parts, size = [], 0
    except BROKEN:
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _parse(line: bytes) -> Document | Refused | None:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as wrong:
        return Refused(f"not JSON: {wrong}") if line.strip() else None
    if type(document) is dict and "System" not in document and "Event" not in document:
        return document  # as nearly all: this is asked a million times
    return _event(document)


def _event(document: object) -> Document | Refused:
    if type(document) is not dict:
        return Refused("JSON, but no object: write one object a line")
    return flatten(document) if is_nested(document) else document
