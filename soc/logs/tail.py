"""The tail: what is durable in write-ahead files, and in no segment yet."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from soc.errors import LogError
from soc.logs import wal

HELD = 4
"""Generations whose rows are held in memory while they wait."""


@dataclass(slots=True)
class Generation:
    """One write-ahead file and its rows, of which the first came *since*.

    It is sealed as a whole, and then removed.
    """

    file: wal.WalFile
    since: datetime
    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0

    def add(self, table: pa.Table) -> None:
        """Remember rows that the file holds."""
        self.tables.append(table)
        self.rows += table.num_rows

    def read(self) -> list[pa.Table]:
        """Return the rows: from memory, or from the file where they were let go."""
        if self.tables:
            return self.tables
        data = self.file.path.read_bytes()
        return [frame.table for frame in wal.frames(data)]

    def let_go(self) -> None:
        """Hold the rows in the file alone: many may wait while they cannot be made permanent."""
        self.tables = []


class Tail:
    """The generations under one folder, oldest first; the last one is written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failures = 0
        self.generations: list[Generation] = []
        self.is_broken = False
        """Whether what stands in the file is unknown: only a restart can tell."""
        self._is_open = False

    @property
    def open(self) -> Generation | None:
        """Return the generation that is written to, if there is one."""
        return self.generations[-1] if self._is_open else None

    def rotate(self) -> None:
        """Write to a new file from here on."""
        if self.open:
            self.open.file.close()  # many may wait, and each would hold a descriptor
        self._is_open = False
        for waiting in self.generations[HELD:]:
            waiting.let_go()

    def write(self, frame: bytes, table: pa.Table, now: datetime) -> None:
        """Write *frame*, which holds *table*; return when it is on the disk.

        Raises LogError if that failed: then nothing of it is stored.
        """
        first = table["seq"][0].as_py()
        generation: Generation | None = self.open
        try:
            if generation is None:
                name = wal.name_of(first, self._failures)
                generation = Generation(wal.WalFile(self._folder / name), now)
            generation.file.append(frame)
        except OSError as failed:
            self._give_up(generation)
            raise LogError(f"{self._folder}: {failed.strerror}: nothing was stored") from failed
        if not self._is_open:
            self.generations.append(generation)
            self._is_open = True
        generation.add(table)

    def forget(self, generation: Generation) -> None:
        """Remove a generation that is sealed."""
        self._is_open = self._is_open and generation is not self.generations[-1]
        self.generations.remove(generation)
        generation.file.close()
        generation.file.path.unlink(missing_ok=True)

    def recover(self, following: int, now: datetime) -> Iterator[pa.Table]:
        """Yield what the files hold from number *following* on; remove those that are sealed."""
        for path in sorted(self._folder.glob(f"*{wal.SUFFIX}")):
            data = path.read_bytes()
            if (at := wal.damage(data)) is not None:
                reason = "is damaged before acknowledged events: restore it, or move it away"
                raise LogError(f"{path}: byte {at} {reason}")
            whole = list(wal.frames(data))
            file = wal.WalFile(path, whole[-1].end if whole else 0)
            generation = Generation(file, now)
            for frame in whole:
                if frame.first == following:
                    generation.add(frame.table)
                    following += frame.table.num_rows
                    yield frame.table
            self.generations.append(generation)
            self._is_open = True
            if not generation.rows:
                self.forget(generation)

    def close(self) -> None:
        """Close the files."""
        for generation in self.generations:
            generation.file.close()

    def _give_up(self, generation: Generation | None) -> None:
        """Never write again to a file that failed: readers may have seen what was taken back."""
        self._failures += 1
        self._is_open = False
        if generation is None:
            return
        self.is_broken = not generation.file.is_clean
        if generation not in self.generations:
            generation.file.close()
