"""The write-ahead file: a frame per append, and its ``fdatasync`` is the acknowledgement.

A frame is magic, first number, rows, length, CRC-32 (of the four before it and the payload), then
zstd over an Arrow IPC stream. The first frame that does not check out ends the file: it was never
acknowledged.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import zstandard

from soc.logs.files import sync_folder

HEAD = struct.Struct("<4sQIII")
MAGIC = b"CWF1"
SUFFIX = ".wal"
MAX_FRAME = 1 << 30
QUICK = -3
"""The zstd level: of what is here only until it is sealed."""
USUAL = 8 << 20
"""Bytes of a table for which there always is room."""


class Frame(NamedTuple):
    """One append as it was written: its first number, its rows, and where it ends in the file."""

    first: int
    table: pa.Table
    end: int


def name_of(first: int, take: int = 0) -> str:
    """Return the name of the file that begins with number *first*; names sort as numbers do.

    take: how often writing failed before, so that no file that failed is written again.
    """
    return f"{first:020d}{f'-{take:03d}' if take else ''}{SUFFIX}"


class Encoder:
    """Makes frames, in room that is used again: fresh pages for each would cost more than the work.

    To be used by one thread at a time.
    """

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=QUICK)
        self._room = pa.allocate_buffer(USUAL)

    def frame(self, first: int, table: pa.Table) -> bytes:
        """Return *table*, whose rows are numbered from *first*, as one frame."""
        size = _streamed(table, pa.MockOutputStream())
        room = self._room if size <= USUAL else pa.allocate_buffer(size)
        _streamed(table, pa.FixedSizeBufferWriter(room))
        payload = self._compressor.compress(memoryview(room)[:size])
        crc = _crc(first, table.num_rows, payload)
        return HEAD.pack(MAGIC, first, table.num_rows, len(payload), crc) + payload


def _streamed(table: pa.Table, sink: pa.NativeFile) -> int:
    """Write *table* to *sink* as an Arrow IPC stream; return its bytes."""
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return int(sink.tell())


def frames(data: bytes, start: int = 0) -> Iterator[Frame]:
    """Yield the whole frames in *data* from offset *start* on."""
    at = start
    while (frame := _frame(data, at)) is not None:
        yield frame
        at = frame.end


def damage(data: bytes) -> int | None:
    """Return where a damaged frame stands that whole ones follow; None if only the end is torn."""
    whole = list(frames(data))
    bad = whole[-1].end if whole else 0
    at = data.find(MAGIC, bad + 1)
    while at >= 0:
        if _frame(data, at) is not None:
            return bad
        at = data.find(MAGIC, at + 1)
    return None


def _frame(data: bytes, at: int) -> Frame | None:
    begin = at + HEAD.size
    if len(data) < begin:
        return None
    magic, first, rows, length, crc = HEAD.unpack_from(data, at)
    end = begin + length
    if magic != MAGIC or length > MAX_FRAME or len(data) < end:
        return None
    payload = memoryview(data)[begin:end]
    if _crc(first, rows, payload) != crc:
        return None
    stream = zstandard.ZstdDecompressor().decompress(payload)
    return Frame(first, pa.ipc.open_stream(stream).read_all(), end)


def _crc(first: int, rows: int, payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<QII", first, rows, len(payload))))


class WalFile:
    """The file that is written to; only the holder of the store's lock makes one."""

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self._size = size
        self.is_clean = True
        """Whether nothing stands in the file but what was acknowledged."""
        is_new = not path.exists()
        self._file = path.open("w+b" if is_new else "r+b", buffering=0)
        if is_new:
            sync_folder(path.parent)  # what is synced in a file without a name is lost
        self._file.truncate(size)
        self._file.seek(size)

    def append(self, frame: bytes) -> None:
        """Write *frame*, return when it is on the disk; raise OSError and leave no part of it."""
        try:
            written = 0
            while written < len(frame):
                written += self._file.write(frame[written:]) or 0
            os.fdatasync(self._file.fileno())
        except OSError:
            self.is_clean = False
            self._file.truncate(self._size)
            os.fdatasync(self._file.fileno())
            self.is_clean = True
            raise
        self._size += len(frame)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def last_in(folder: Path) -> int:
    """Return the last number in the write-ahead files in *folder*, or 0."""
    for path in sorted(folder.glob(f"*{SUFFIX}"), reverse=True):
        if whole := list(frames(path.read_bytes())):
            return int(whole[-1].first + whole[-1].table.num_rows - 1)
    return 0


class WalReader:
    """What stands in the write-ahead files, for any process; whole frames are read only once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, list[Frame]] = {}

    def read(self) -> list[Frame]:
        """Return every whole frame, in the order of numbers.

        What is returned was synced first, so that no reader knows more than the disk. Raises
        FileNotFoundError if a file went away meanwhile: it was sealed, look again.
        """
        paths = sorted(self._folder.glob(f"*{SUFFIX}"))
        self._seen = {path: self._seen.get(path, []) for path in paths}
        for path, known in self._seen.items():
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if known and size < known[-1].end:
                    known.clear()  # a write failed and was taken back
                start = known[-1].end if known else 0
                if size > start:
                    os.fdatasync(file.fileno())
                file.seek(start)
                rest = file.read(size - start)
            known += [f._replace(end=start + f.end) for f in frames(rest)]
        return [frame for known in self._seen.values() for frame in known]
