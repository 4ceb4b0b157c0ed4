"""What was taken from an index: how far, and the ids of the last day, a file for each minute."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import orjson

from soc.errors import LogError
from soc.logs.files import write_durably
from soc.model.value import EPOCH

SIZE = 8
"""Bytes that an id is known by."""
MINUTE = timedelta(minutes=1)
SUFFIX = ".ids"


class Cursor(NamedTuple):
    """How far an index was read, and until when it was counted again; None: never."""

    upto: datetime | None = None
    swept: datetime | None = None


def minute_of(moment: datetime) -> datetime:
    """Return the begin of the minute that *moment* is in."""
    return moment.replace(second=0, microsecond=0)


class Seen:
    """The record of one index, in *folder*; only the process that pulls has one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[datetime, set[bytes]] = {}

    def cursor(self) -> Cursor:
        """Return how far we are; raises LogError for a record that is damaged."""
        path = self._folder / "cursor.json"
        try:
            found = orjson.loads(path.read_bytes())
            return Cursor(*(_moment(found[name]) for name in Cursor._fields))
        except FileNotFoundError:
            return Cursor()
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as broken:
            raise LogError(f"{path}: is damaged: remove it, and all is read again") from broken

    def move(self, cursor: Cursor) -> None:
        """Put *cursor* in the place of what was kept; return when it is on the disk."""
        write_durably(self._folder / "cursor.json", orjson.dumps(cursor._asdict()))

    def count(self, minute: datetime) -> int:
        """Return how many events of *minute* were taken."""
        return len(self._of(minute))

    def new(self, ids: Sequence[tuple[datetime, str]]) -> list[bool]:
        """Return which of *ids*, each with its moment, were not taken yet."""
        found, these = [], set[bytes]()
        for moment, name in ids:
            mark = short(name)
            found.append(mark not in these and mark not in self._of(minute_of(moment)))
            these.add(mark)
        return found

    def add(self, ids: Iterable[tuple[datetime, str]]) -> None:
        """Remember *ids* as taken."""
        fresh: dict[datetime, set[bytes]] = {}
        for moment, name in ids:
            minute = minute_of(moment)
            if (mark := short(name)) not in self._of(minute):
                fresh.setdefault(minute, set()).add(mark)
        for minute, marks in sorted(fresh.items()):
            with self._path(minute).open("ab") as file:
                file.write(b"".join(sorted(marks)))
            self._known[minute] |= marks

    def minutes(self, after: datetime, upto: datetime) -> list[datetime]:
        """Return the minutes, later than *after* and not later than *upto*, that hold events."""
        every = (EPOCH + int(path.stem) * MINUTE for path in self._folder.glob(f"*{SUFFIX}"))
        return sorted(minute for minute in every if after < minute <= upto)

    def forget(self, before: datetime) -> None:
        """Remove the ids of minutes older than *before*."""
        for minute in self.minutes(EPOCH, before):
            self._path(minute).unlink(missing_ok=True)
            self._known.pop(minute, None)

    def let_go(self, before: datetime) -> None:
        """Hold the ids of minutes older than *before* in their files alone."""
        for minute in [known for known in self._known if known < before]:
            del self._known[minute]

    def _of(self, minute: datetime) -> set[bytes]:
        known = self._known.get(minute)
        if known is None:
            path = self._path(minute)
            data = path.read_bytes() if path.exists() else b""
            whole = len(data) - len(data) % SIZE  # a crash may have cut the last one
            if whole < len(data):
                write_durably(path, data[:whole])
            known = {data[at : at + SIZE] for at in range(0, whole, SIZE)}
            self._known[minute] = known
        return known

    def _path(self, minute: datetime) -> Path:
        return self._folder / f"{(minute - EPOCH) // MINUTE:010d}{SUFFIX}"


def short(name: str) -> bytes:
    """Return what *name* is known by."""
    return blake2b(name.encode(), digest_size=SIZE).digest()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
