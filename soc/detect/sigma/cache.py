"""Keep what rule files were compiled to, so that thousands of them are there at once.

A file is known by its content. While its time, size and inode are the same it is not even read,
unless it was changed so shortly before that the clock could not tell.
"""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from soc.detect.sigma.draft import Draft, Filter, Mistake
from soc.detect.sigma.files import RuleFile
from soc.detect.sigma.rule import Rule
from soc.detect.sigma.slug import Entry, entry

CODE = ("about", "combine", "compile", "condition", "draft", "drafting", "modifiers", "pipelines",
        "placeholders", "predicate", "rule", "selection", "shippers", "source", "text",
        "values")  # fmt: skip
"""The modules that decide what a rule is compiled to."""
SURE_AFTER = 2_000_000_000
"""Nanoseconds after which a file that is changed again has another time."""
PLACEHOLDER = b"expand"
"""A file without this word needs no lists."""
MOST = 16
"""Sets of rules that are kept; those used least lately go."""
FEW, SHARE = 16, 0.02
"""So many changed files, and such a part of all, are compiled again by the next process: to write
down all for them would take longer.
"""


Compiled = list[Draft | Filter | Mistake]
"""What stands in one file."""


class _File(msgspec.Struct, array_like=True):
    """lists: the digest of those that it was compiled with; empty if it asks for none."""

    mtime_ns: int
    size: int
    inode: int
    digest: str
    lists: str = ""


class _Written(msgspec.Struct):
    """drafts: by digest what a file was compiled to, itself written."""

    code: str
    files: dict[str, _File]
    drafts: dict[str, msgspec.Raw]


_decode = msgspec.msgpack.Decoder(_Written).decode
_read_drafts = msgspec.msgpack.Decoder(Compiled).decode


class Sure(NamedTuple):
    """What stands in a file that need not be read."""

    known: _File
    entries: list[Entry]


class Known:
    """What a process has of one set of rules: as it was written last, and as it was read.

    unwritten: files of which only this process knows what they were compiled to. rules: by slug,
    each with what it was made of. sure: files that need not be read.
    """

    def __init__(self, written: _Written, at: int) -> None:
        self.written, self.at = written, at
        self.unwritten: set[str] = set()
        self.read: dict[str, Compiled] = {}
        self.rules: dict[str, tuple[Draft, Rule]] = {}
        self.sure: dict[RuleFile, Sure] = {}


class Kept:
    """What is kept of one set of rules. Only what is asked for or added is kept on.

    lists: a digest of what placeholders stand for.
    """

    def __init__(
        self, known: Known | None = None, place: Path | None = None, lists: str = ""
    ) -> None:
        self.place, self._lists = place, lists
        self.known = known or Known(_Written("", {}, {}), 0)
        self._old = self.known.written
        self._rules, self.known.rules = self.known.rules, {}
        self._found: dict[str, _File] = {}
        self._files: dict[str, _File] = {}
        self._drafts: dict[str, msgspec.Raw] = {}
        self._added: dict[RuleFile, Sure] = {}

    def find(self, file: RuleFile) -> list[Entry] | None:
        """Return what *file* was compiled to, or None if that is not known."""
        if self.place is None:
            return None
        sure = self.known.sure.get(file) or self._find(file)
        if sure is None:
            return None
        self._found[file.name] = sure.known
        return sure.entries

    def _find(self, file: RuleFile) -> Sure | None:
        known = self._old.files.get(file.name)
        is_same = (
            known is not None
            and (known.mtime_ns, known.size, known.inode) == file[1:]
            and file.mtime_ns + SURE_AFTER < self.known.at
            and known.lists in ("", self._lists)
        )
        if known is None or not is_same:
            known = self._read(file)
        drafts = self._drafts_of(known.digest)
        if drafts is None:
            return None
        sure = Sure(known, [entry(file.path, draft) for draft in drafts])
        if is_same and not known.lists:
            self.known.sure[file] = sure
        return sure

    def rule(self, draft: Draft, path: Path, slug: str) -> Rule:
        """Return the rule that *draft* is, called *slug*: the same as the last time, if it is."""
        last = self._rules.get(slug)
        if last is None or last[0] is not draft or last[1].path is not path:
            last = draft, draft.rule(path, slug)
        self.known.rules[slug] = last
        return last[1]

    def add(self, file: RuleFile, drafts: Compiled) -> None:
        """Keep what *file* was compiled to just now."""
        read = self._read(file)
        self._files[file.name] = read
        self.known.read[read.digest] = drafts
        self._added[file] = Sure(read, [entry(file.path, draft) for draft in drafts])
        self._drafts[read.digest] = msgspec.Raw(msgspec.msgpack.encode(drafts))

    def settle(self, written: _Written, at: int) -> Known:
        """Note that *written* was written *at* that time; return what the process has now."""
        known, paths = self.known, written.files
        known.written, known.at = written, at
        known.read = {name: read for name, read in known.read.items() if name in written.drafts}
        if len(known.sure) > len(paths):
            known.sure = {
                file: sure
                for file, sure in known.sure.items()
                if paths.get(file.name) == sure.known
            }
        for file, one in self._added.items():
            if file.mtime_ns + SURE_AFTER < at and not one.known.lists:
                known.sure[file] = one
        return known

    @property
    def files(self) -> dict[str, _File]:
        """Return each file that was asked for or added, by name."""
        return self._found | self._files

    def changed(self) -> set[str]:
        """Return the files that others do not know as they are, or cannot be sure of."""
        files, old = self.files, self._old.files
        sure = self.known.at - SURE_AFTER
        changed = {n for n, one in files.items() if one.mtime_ns >= sure or one != old.get(n)}
        return self.known.unwritten | changed | (old.keys() - files.keys())

    def written(self) -> _Written:
        """Return what is known now, to be written."""
        old = self._old.drafts
        drafts = {one.digest: old[one.digest] for one in self._found.values()} | self._drafts
        return _Written(_code(), self.files, drafts)

    def _drafts_of(self, digest: str) -> Compiled | None:
        raw, read = self._old.drafts.get(digest), self.known.read.get(digest)
        if raw is None:
            return None
        if read is None:
            try:
                read = self.known.read[digest] = _read_drafts(raw)
            except msgspec.DecodeError:
                return None
        return read

    def _read(self, file: RuleFile) -> _File:
        """Return what identifies what *file* is compiled to now."""
        try:
            octets = file.path.read_bytes()
        except OSError:
            return _File(*file[1:], "")
        lists = self._lists if PLACEHOLDER in octets else ""
        digest = hashlib.sha256(lists.encode() + octets).hexdigest()
        return _File(*file[1:], digest, lists)


class RuleCache:
    """Compiled rules in *folder*. What cannot be read or written there only costs time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, Known] = {}

    def open(
        self, paths: Sequence[Path], pipelines: Sequence[str], lists: Mapping[str, Sequence[str]]
    ) -> Kept:
        """Return what is kept of the rules under *paths*, as *pipelines* make them.

        lists: what placeholders stand for.
        """
        about = hashlib.sha256(msgspec.json.encode(sorted(lists.items()))).hexdigest()
        folders = {str((path if path.is_dir() else path.parent).resolve()) for path in paths}
        words = [*sorted(folders), "", *pipelines]
        name = hashlib.sha256("\n".join(words).encode("utf-8", "surrogateescape")).hexdigest()
        place = self.folder / f"rules-{name[:16]}.msgpack"
        if place not in self._known and (known := _read(place)) is not None:
            self._known[place] = known
        return Kept(self._known.get(place), place, about)

    def close(self, kept: Kept) -> None:
        """Write what changed."""
        changed = kept.changed()
        if kept.place is None or not changed:
            return
        written = kept.written()
        if len(changed) <= min(FEW, SHARE * len(written.files)):
            kept.settle(written, kept.known.at).unwritten = changed
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = kept.place.with_suffix(f".{os.getpid()}")
            new.touch(0o600)
            new.write_bytes(msgspec.msgpack.encode(written))
            new.replace(kept.place)
            at = kept.place.stat().st_mtime_ns
            self._known[kept.place] = kept.settle(written, at)
            kept.known.unwritten = set()
            for old in sorted(self.folder.glob("rules-*.msgpack"), key=_age)[:-MOST]:
                old.unlink()
        except (OSError, OverflowError, UnicodeError) as why:
            logging.getLogger(__name__).info("compiled rules are not kept: %s", why)


def _read(place: Path) -> Known | None:
    """Return what is at *place*, if nobody else could write it and this code did."""
    try:
        about = place.stat()
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            return None
        found = _decode(place.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return Known(found, about.st_mtime_ns) if found.code == _code() else None


@cache
def _code() -> str:
    """Return what changes with the code that compiles rules."""
    told = hashlib.sha256(f"pysigma {version('pysigma')}".encode())
    for name in CODE:
        told.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return told.hexdigest()


def _age(path: Path) -> float:
    return path.stat().st_mtime
