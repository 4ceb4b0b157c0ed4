"""Whether the disk has room: warn early, and refuse before anything can be written in part."""

import shutil
from pathlib import Path

from soc.clock import monotonic
from soc.errors import StoreFull
from soc.settings import Logs

EVERY = 1.0
"""Seconds for which a look at the disk counts."""


class Room:
    """The free share of the disk that holds *root*."""

    def __init__(self, root: Path, settings: Logs) -> None:
        self._root, self._settings = root, settings
        self._looked, self._free = float("-inf"), 1.0

    def free(self) -> float:
        """Return the share of the disk that is free, 0 to 1, as of a moment ago."""
        if monotonic() - self._looked >= EVERY:
            usage = shutil.disk_usage(self._root)
            self._free, self._looked = usage.free / usage.total, monotonic()
        return self._free

    def require(self) -> None:
        """Do nothing if there is room; raises StoreFull."""
        if (free := self.free()) < self._settings.refuse_below:
            least = self._settings.refuse_below
            raise StoreFull(
                f"{self._root}: {free:.1%} of the disk is free, and below {least:.0%} nothing is "
                "taken in: make room, or lower logs.refuse_below"
            )
