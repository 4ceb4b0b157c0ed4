"""Thousands of literals and regular expressions in one pass, by Hyperscan where it is installed.

It is believed about literals, which are octets, and about expressions on ASCII. On other text it
only rules out, and RE2 is asked about what it finds; what the two may understand otherwise is left
to RE2 alone. So the answers are those of RE2.
"""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from math import prod
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from soc.detect.sigma.event import Scalar
from soc.detect.sigma.predicate import Pattern

hyperscan: ModuleType | None
try:
    import hyperscan
except ImportError:  # no wheel for this processor
    hyperscan = None

VERSION = version("hyperscan") if hyperscan else ""
LITERAL = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL if hyperscan else 0
PATTERN = (
    hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY | hyperscan.HS_FLAG_UTF8
    if hyperscan
    else 0
)
ANYWHERE = LITERAL | hyperscan.HS_FLAG_CASELESS if hyperscan else 0
BEGIN, END = "\x00", "\x01"
"""Stand around a text, so that what it begins and ends with is something that it contains."""
AFTER = 3_000_000
"""Characters times expressions that were asked one by one, after which compiling pays."""
FEW = 32
"""Expressions for which one pass is not worth its compilation."""
UNSURE = re.compile(r"(?<!\\)(?:\\\\)*\\[pPxCvhHRXNKGQEZ]|\(\?[a-zA-Z-]*[mxU]|\[:|\{,")
"""What the two may understand otherwise, or Hyperscan might rule out wrongly."""
FOLDS = re.compile(r"\(\?[a-zA-Z-]*i")
REPEATS = re.compile(r"(?<!\\)(?:\\\\)*\{\d+,(\d+)\}")
SHORT, LONG = 16, 256
"""Repeats up to a few do not count; what comes to LONG takes a second to compile, and RE2 none."""
VERTICAL_TAB = "\x0b"
"""A space to Hyperscan, and none to RE2. Its ``$`` also stands before a line break at the end."""


class Databases:
    """Compiled databases, kept in *folder* if there is one.

    after: as AFTER; later by default where nothing is kept, and so only this process has it.
    """

    def __init__(self, folder: Path | None = None, after: int | None = None) -> None:
        default = AFTER if folder else 10 * AFTER
        self.after, self._folder = default if after is None else after, folder
        self.is_there = hyperscan is not None

    def is_kept(self, name: str) -> bool:
        """Return whether the database *name* need not be compiled."""
        return self._folder is not None and (self._folder / name).is_file()

    def load(self, name: str) -> Any:  # noqa: ANN401 - hyperscan has no types
        """Return the database *name*, or None if it is not here, or for another processor."""
        if self._folder is None or hyperscan is None:
            return None
        try:
            path = self._folder / name
            about = path.stat()
            if about.st_uid != os.geteuid() or about.st_mode & 0o022:
                return None
            database = hyperscan.loadb(path.read_bytes(), hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
        except (OSError, hyperscan.error, ValueError):
            return None
        return database

    def keep(self, name: str, database: Any) -> None:  # noqa: ANN401 - as above
        """Keep *database*; what cannot be written only costs time."""
        if self._folder is None or hyperscan is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._folder / f"{name}.{os.getpid()}"
            new.touch(0o600)
            new.write_bytes(hyperscan.dumpb(database))
            new.replace(self._folder / name)
        except OSError as why:
            logging.getLogger(__name__).info("a database is not kept: %s", why)


class Scan:
    """Expressions in one database, which finds their numbers. Raises hyperscan.error.

    write: how an expression is written for Hyperscan.
    """

    def __init__(
        self,
        expressions: Sequence[str],
        flags: int,
        write: Callable[[str], bytes],
        databases: Databases,
    ) -> None:
        assert hyperscan is not None  # noqa: S101 - for types: nobody makes one without it
        self._lock = Lock()
        name = _name(expressions, flags)
        self._database = databases.load(name)
        if self._database is None:
            count = len(expressions)
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self._database.compile(
                expressions=list(map(write, expressions)),
                ids=list(range(count)),
                elements=count,
                flags=[flags] * count,
            )
            databases.keep(name, self._database)

    def found(self, octets: bytes) -> list[int]:
        """Return the numbers of the expressions found in *octets*."""
        seen: list[int] = []
        with self._lock:  # it has one scratch space
            self._database.scan(octets, match_event_handler=_note, context=seen)
        return seen

    def any_found(self, texts: Sequence[bytes]) -> list[int]:
        """Return the places of those of *texts* in which an expression is found."""
        places, seen, scan = list[int](), list[int](), self._database.scan
        with self._lock:
            for place, octets in enumerate(texts):
                scan(octets, match_event_handler=_note, context=seen)
                if seen:
                    places.append(place)
                    seen.clear()
        return places


def scan_of(expressions: Sequence[str], flags: int, databases: Databases) -> Scan | None:
    """Return *expressions* in one database, or None if Hyperscan is not there or cannot."""
    if hyperscan is None or not databases.is_there:
        return None
    try:
        return Scan(expressions, flags, str.encode, databases)
    except hyperscan.error as why:
        logging.getLogger(__name__).info("expressions are looked for by RE2: %s", why)
        return None


def _note(number: int, _begin: int, _end: int, _flags: int, seen: list[int]) -> None:
    seen.append(number)


class Literals:
    """Literals, each with who asks for it, in one database."""

    def __init__(self, askers: Mapping[str, list[int]], databases: Databases) -> None:
        self.askers = list(askers.values())
        self._scan = Scan(list(askers), LITERAL, _literal, databases) if askers else None

    def found(self, text: str) -> list[int]:
        """Return the numbers of the literals that *text* has; raises UnicodeEncodeError."""
        return self._scan.found(f"{BEGIN}{text}{END}".encode()) if self._scan else []

    def asking(self, numbers: Iterable[int]) -> Iterator[list[int]]:
        """Yield who asks for each of the literals."""
        return map(self.askers.__getitem__, numbers)


class Hyper:
    """All literals and regular expressions that are asked of one field.

    folded, cased: for each literal, who asks for it; patterns: who asks for each.
    """

    def __init__(
        self,
        folded: Mapping[str, list[int]],
        cased: Mapping[str, list[int]],
        patterns: Sequence[tuple[int, Pattern]],
        databases: Databases,
    ) -> None:
        self.folded, self._cased = Literals(folded, databases), Literals(cased, databases)
        self._together = [one for one in patterns if _is_sure(one[1]) and not _is_slow(one[1])]
        try:
            self._scan = _patterns(self._together, databases)
        except hyperscan.error:  # type: ignore[union-attr]  # it is there
            self._together = [one for one in self._together if _can_be(one)]
            self._scan = _patterns(self._together, databases)
        self._alone = [one for one in patterns if one not in self._together]
        self.has_more = bool(cased or patterns)
        """Whether somebody asks for what is not ``folded``."""

    def found(self, value: Scalar) -> set[int]:
        """Return who gets a yes besides those who ask for what is ``folded``.

        Raises UnicodeEncodeError for half characters.
        """
        yes: set[int] = set()
        yes.update(*self._cased.asking(self._cased.found(value.text)))
        patterns = self._alone
        if VERTICAL_TAB in value.text:
            patterns = [*self._alone, *self._together]
        elif self._scan:
            is_believed = value.text.isascii() and not value.text.endswith("\n")
            for number in self._scan.found(value.octets):
                who, pattern = self._together[number]
                if is_believed or pattern.accepts(value):
                    yes.add(who)
        yes.update(who for who, pattern in patterns if pattern.accepts(value))
        return yes


def hyper_of(
    folded: Mapping[str, list[int]],
    cased: Mapping[str, list[int]],
    patterns: Sequence[tuple[int, Pattern]],
    databases: Databases,
) -> Hyper | None:
    """Return what Hyper is told to make, or None if Hyperscan cannot: of a huge literal."""
    assert hyperscan is not None  # noqa: S101 - as above
    try:
        return Hyper(folded, cased, patterns, databases)
    except hyperscan.error as why:
        logging.getLogger(__name__).info("expressions are asked one by one: %s", why)
        return None


def is_kept(askers: Mapping[str, list[int]], databases: Databases) -> bool:
    """Return whether the database of these literals need not be compiled."""
    return bool(askers) and databases.is_kept(_name(list(askers), LITERAL))


def _literal(text: str) -> bytes:
    return b"".join(b"\\x%02x" % octet for octet in text.encode())


def _patterns(asked: Sequence[tuple[int, Pattern]], databases: Databases) -> Scan | None:
    sources = [one.source for _, one in asked]
    return Scan(sources, PATTERN, str.encode, databases) if sources else None


def _name(expressions: Sequence[str], flags: int) -> str:
    told = hashlib.sha256(
        f"{flags} {VERSION} {','.join(str(len(e)) for e in expressions)} ".encode()
    )
    told.update("".join(expressions).encode())
    return f"hs-{told.hexdigest()[:32]}.db"


def _is_sure(pattern: Pattern) -> bool:
    """Return whether Hyperscan finds *pattern* at least wherever RE2 does."""
    may_fold_otherwise = not pattern.source.isascii() and FOLDS.search(pattern.source)
    return not may_fold_otherwise and UNSURE.search(pattern.source) is None


def _is_slow(pattern: Pattern) -> bool:
    """Return whether Hyperscan compiles *pattern* slowly: long repeats that have an end."""
    ends = (int(end) for end in REPEATS.findall(pattern.source))
    return prod(end for end in ends if end > SHORT) >= LONG


def _can_be(asked: tuple[int, Pattern]) -> bool:
    """Return whether Hyperscan compiles what is *asked*."""
    try:
        _patterns([asked], Databases())
    except hyperscan.error:  # type: ignore[union-attr]  # it is there
        return False
    return True
