"""Whether octets hold what is sought: one pass of Hyperscan where it is installed, else of RE2."""

from threading import Lock
from types import ModuleType

import re2

hyperscan: ModuleType | None
try:
    import hyperscan
except ImportError:  # no wheel for this processor
    hyperscan = None


class Sought:
    """Expressions on octets, of which one is enough. They mean the same to both libraries."""

    def __init__(self, *expressions: bytes) -> None:
        self._plain = re2.compile(b"|".join(b"(?:%b)" % one for one in expressions))
        self._database, self._lock = None, Lock()
        if hyperscan is not None:
            size = len(expressions)
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            flags = [hyperscan.HS_FLAG_SINGLEMATCH] * size
            self._database.compile(
                expressions=expressions, ids=list(range(size)), elements=size, flags=flags
            )
            self._database.scratch = hyperscan.Scratch(self._database)

    def is_in(self, octets: bytes | memoryview) -> bool:
        """Return whether one of the expressions is in *octets*."""
        if self._database is None:
            return self._plain.search(octets) is not None
        seen: list[int] = []
        with self._lock:  # its scratch is for one at a time
            self._database.scan(octets, match_event_handler=lambda which, *_: seen.append(which))
        return bool(seen)
