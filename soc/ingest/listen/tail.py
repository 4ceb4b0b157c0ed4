"""Follow files that others write: what was not read is read, and nothing twice.

A line's id is made of its file and its place there, so what is read again after a death is known.
"""

import asyncio
import glob
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from soc.clock import monotonic
from soc.errors import LogError
from soc.ingest.listen import marks
from soc.ingest.listen.batches import FIRST_PAUSE, LONGEST_PAUSE, Append, Line
from soc.ingest.listen.marks import KIB, Mark

LONGEST = 1024 * 1024
"""Bytes of one line; of a longer one the beginning is kept, as a reject."""
CUT = f"longer than {LONGEST} bytes: only its beginning is kept"
SIZE = 2_000
LOOK_EVERY = 0.5
SETTLED = 5.0
"""Seconds without a byte after which a file that was moved away has ended."""
MOST_FILES = 1_000


@dataclass(frozen=True, slots=True)
class Watched:
    """Files to follow: a pattern with an absolute path, and how their lines are read."""

    pattern: str
    source: str
    form: str = "auto"


@dataclass
class _File:
    handle: int
    mark: Mark
    watched: Watched
    is_moved: bool = False
    """Whether no pattern finds it any more."""
    grew: float = 0.0
    rest: int = 0
    """Bytes of the line that is not whole yet."""


class Tail:
    """The files of all patterns. *kept* is where it remembers how far it came.

    is_held: whether nothing more of a source is read for now.
    """

    def __init__(
        self,
        watched: Sequence[Watched],
        kept: Path,
        is_held: Callable[[str], bool] = lambda _source: False,
        settled: float = SETTLED,
    ) -> None:
        self._watched = {one.pattern: one for one in watched}
        self._kept, self._is_held, self._settled = kept, is_held, settled
        self._known = marks.read(kept)
        self._open: dict[tuple[int, int], _File] = {}
        self._told: set[str] = set()
        self._is_new = True

    async def run(self, append: Append, stop: asyncio.Event) -> None:
        """Follow until *stop*; the offset is kept when the lines before it are on the disk."""
        try:
            while not stop.is_set():
                lines = await asyncio.to_thread(self.read)
                if lines:
                    if not await _stored(append, lines, stop):
                        return
                    await asyncio.to_thread(self.commit)
                else:
                    await _pause(stop, LOOK_EVERY)
        finally:
            self.close()

    def read(self) -> list[Line]:
        """Return the next lines of all files, at most so many of each; commit follows."""
        self._look()
        lines: list[Line] = []
        sources = {one.watched.source for one in self._open.values()}
        held = {source for source in sources if self._is_held(source)}
        for key in sorted(self._open):
            one = self._open[key]
            if one.watched.source in held:
                continue
            try:
                lines += self._take(one)
            except OSError as broken:
                self._warn(one.mark.path, broken)
                self._known[key] = one.mark
                self._forget(one)
        return lines

    def commit(self) -> None:
        """Keep how far all files were read."""
        here = {one.mark.key: one.mark for one in self._open.values()}
        marks.keep(self._kept, {**self._known, **here}.values())

    def close(self) -> None:
        """Let go of the files."""
        for one in list(self._open.values()):
            os.close(one.handle)
        self._open.clear()

    def _look(self) -> None:
        """Find what the patterns name now: new files, and which of the known were moved."""
        found: dict[tuple[int, int], tuple[str, Watched]] = {}
        for watched in self._watched.values():
            for path in sorted(glob.glob(watched.pattern, recursive=True)):  # noqa: PTH207 - an absolute pattern
                if (key := _key_of(path)) is not None:
                    found.setdefault(key, (path, watched))
        if self._is_new:
            self._find_moved(found)
            self._is_new = False
        for key, (path, watched) in found.items():
            if key in self._open:
                one = self._open[key]
                one.is_moved = False
                one.mark = one.mark.model_copy(update={"path": path})
            elif len(self._open) < MOST_FILES:
                self._begin(path, watched)
            else:
                self._warn(path, OSError(f"more than {MOST_FILES} files: narrow the patterns"))
        for key, one in self._open.items():
            one.is_moved = key not in found

    def _find_moved(self, found: dict[tuple[int, int], tuple[str, Watched]]) -> None:
        """Look beside its old place for a file that was moved while nobody followed it."""
        for key, mark in list(self._known.items()):
            if key in found:
                continue
            beside = Path(mark.path).parent
            names = sorted(map(str, beside.iterdir())) if beside.is_dir() else []
            place = next((name for name in names if _key_of(name) == key), None)
            watched = self._watched.get(mark.pattern)
            if place is None or watched is None or not self._begin(place, watched):
                gone = OSError(f"is gone: what came after byte {mark.offset} is not known")
                self._warn(mark.path, gone)
                del self._known[key]

    def _begin(self, path: str, watched: Watched) -> bool:
        """Open *path* where it was left; return False if it cannot be read yet."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as broken:
            self._warn(path, broken)
            return False
        about = os.fstat(handle)
        head = marks.head_of(os.pread(handle, KIB, 0))
        if head is None:
            os.close(handle)
            return False
        key = (about.st_dev, about.st_ino)
        known = self._known.pop(key, None)
        mark = Mark(path=path, pattern=watched.pattern, device=key[0], inode=key[1], head=head)
        if known and known.head == head:
            mark = known.model_copy(update={"path": path, "pattern": watched.pattern})
        self._open[key] = _File(handle, mark, watched, grew=monotonic())
        return True

    def _take(self, one: _File) -> Iterator[Line]:
        if _was_emptied(one):
            head = marks.head_of(os.pread(one.handle, KIB, 0))
            if head is None:
                return
            again = {"head": head, "generation": one.mark.generation + 1, "offset": 0}
            one.mark = one.mark.model_copy(update={**again, "skips": False})
        data = os.pread(one.handle, LONGEST, one.mark.offset)
        if data:
            yield from self._lines(one, data)
        elif self._has_ended(one):
            self._forget(one)

    def _lines(self, one: _File, data: bytes) -> Iterator[Line]:
        """Yield the lines that are whole in *data*, which begins where the mark is."""
        at, taken, mark, skips = 0, 0, one.mark, one.mark.skips
        while taken < SIZE and (end := data.find(b"\n", at)) >= 0:
            text = data[at:end].rstrip(b"\r")
            if text.strip() and not skips:
                yield self._line(one, text, mark.offset + at)
            at, skips, taken = end + 1, False, taken + 1
        if not at and len(data) == LONGEST:
            if not skips:
                yield self._line(one, data, mark.offset, CUT)
            at, skips = len(data), True
        elif not at and len(data) == one.rest and self._has_ended(one):
            # Nobody will end this line any more.
            if not skips:
                yield self._line(one, data, mark.offset)
            at = len(data)
        if at:
            one.mark = mark.model_copy(update={"offset": mark.offset + at, "skips": skips})
        if at or len(data) != one.rest:
            one.grew, one.rest = monotonic(), len(data) - at

    def _has_ended(self, one: _File) -> bool:
        """Return whether nobody writes to a file any more: it was moved away and has settled."""
        return one.is_moved and monotonic() - one.grew > self._settled

    @staticmethod
    def _line(one: _File, text: bytes, offset: int, reason: str = "") -> Line:
        return Line(one.watched.source, text, one.watched.form, one.mark.id_at(offset), reason)

    def _forget(self, one: _File) -> None:
        os.close(one.handle)
        del self._open[one.mark.key]

    def _warn(self, path: str, why: OSError) -> None:
        """Say once what is wrong with *path*."""
        reason = why.strerror or str(why)
        if (told := f"{path}: {reason}") not in self._told and len(self._told) < MOST_FILES:
            self._told.add(told)
            logging.getLogger(__name__).warning("%s", told)


def _was_emptied(one: _File) -> bool:
    """Return whether the file was cut, or cut and written anew beyond where it was read."""
    size = os.fstat(one.handle).st_size
    if size < one.mark.offset:
        return True
    head = marks.head_of(os.pread(one.handle, KIB, 0))
    return head is not None and head != one.mark.head


def _key_of(path: str) -> tuple[int, int] | None:
    """Return what the file system knows the file at *path* by; None for what is no file."""
    try:
        about = Path(path).stat()
    except OSError:
        return None
    return (about.st_dev, about.st_ino) if S_ISREG(about.st_mode) else None


async def _stored(append: Append, lines: Sequence[Line], stop: asyncio.Event) -> bool:
    """Store *lines*, trying again while the store is full; return False if told to stop first."""
    pause = FIRST_PAUSE
    while True:
        try:
            await asyncio.to_thread(append, lines)
        except LogError:
            if stop.is_set():
                return False  # the offset stays: they are read again
            await _pause(stop, pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            return True


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
