"""Find texts of JSON in which words may stand: most have none of them, and need no further look."""

from collections.abc import Iterable, Sequence
from typing import Any

import re2

from soc.detect.sigma.engine.hyper import ANYWHERE, Databases, scan_of

NOT_ASCII = r"[\x80-\xff]"
FOLDED_TO_ASCII = r"\xe2\x84\xaa|\xc5\xbf"
"""In UTF-8, the two characters that are not ASCII and folded are: KELVIN SIGN and LONG S."""
ESCAPED = r"(?:^|[^\\])(?:\\\\)*\\[u/]"
"""An escape instead of which a character may stand."""


class Doubt:
    """Tells which texts of JSON may hold one of *needles*, in upper or lower case.

    The needles are folded. Doubtful is also what may hold one that is written otherwise.
    """

    def __init__(self, needles: Iterable[str], databases: Databases) -> None:
        needles = tuple(needles)
        is_ascii = all(map(str.isascii, needles))
        words = [_literal(needle) for needle in needles if needle.isascii()]
        expressions = [*words, FOLDED_TO_ASCII if is_ascii else NOT_ASCII, ESCAPED]
        self._scan = scan_of(expressions, ANYWHERE, databases)
        self._slow = None if self._scan else _pattern(expressions)

    @property
    def is_told(self) -> bool:
        """Return whether it can tell: of very many needles it cannot."""
        return self._scan is not None or self._slow is not None

    def among(self, texts: Sequence[bytes]) -> list[int]:
        """Return the places of those of *texts* that are doubtful."""
        if self._scan is not None:
            return self._scan.any_found(texts)
        assert self._slow is not None  # noqa: S101 - see ``is_told``
        search = self._slow.search
        return [place for place, text in enumerate(texts) if search(text) is not None]


def _literal(needle: str) -> str:
    return "".join(f"\\x{octet:02x}" for octet in needle.encode())


def _pattern(expressions: Sequence[str]) -> Any:  # noqa: ANN401 - re2 has no types
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile("|".join(expressions).encode(), options)
    except re2.error:
        return None
