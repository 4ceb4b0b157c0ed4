"""Whether octets hold what is sought: by Hyperscan where it is installed, else by RE2."""

from threading import Lock
from types import ModuleType

import re2

hyperscan: ModuleType | None
try:
    import hyperscan
except ImportError:  # no wheel for this processor
    hyperscan = None


class Sought:
    """An expression on octets. It means the same to both libraries."""

    def __init__(self, expression: bytes) -> None:
        self._plain = re2.compile(expression)
        self._database, self._lock = None, Lock()
        if hyperscan is not None:
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            flags = [hyperscan.HS_FLAG_SINGLEMATCH]
            self._database.compile(expressions=[expression], ids=[0], elements=1, flags=flags)
            self._database.scratch = hyperscan.Scratch(self._database)

    def is_in(self, octets: bytes | memoryview) -> bool:
        """Return whether the expression matches somewhere in *octets*."""
        if self._database is None:
            return self._plain.search(octets) is not None
        seen: list[int] = []
        with self._lock:  # its scratch is for one at a time
            self._database.scan(octets, match_event_handler=lambda which, *_: seen.append(which))
        return bool(seen)
