"""Find rule files, each once, in the same order everywhere."""

import os
import stat
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from soc.errors import Problem

SUFFIXES = (".yml", ".yaml")
PLACEHOLDERS = "placeholders.yml"
"""Says in a folder of rules what their placeholders stand for."""
SAMPLES = (".test.yml", ".test.yaml")


class RuleFile(NamedTuple):
    """A file, and by what one sees that it was changed: time in ns, size in bytes, inode."""

    path: Path
    mtime_ns: int
    size: int
    inode: int


def find_files(paths: Sequence[Path]) -> Iterator[RuleFile | Problem]:
    """Yield each rule file under *paths* once; a path that is missing is a problem."""
    seen: set[str] = set()
    for path in paths:
        if not path.exists():
            yield Problem(path, 1, "there is no such file or folder")
            continue
        given, real = str(path), os.path.realpath(path)
        found = [(given, False)]
        if path.is_dir():
            found = []
            _look(given, found)
            found.sort()
        for name, is_link in found:
            same = os.path.realpath(name) if is_link else real + name[len(given) :]
            about = _about(name)
            if same not in seen and about is not None:
                seen.add(same)
                yield RuleFile(_path(name), about.st_mtime_ns, about.st_size, about.st_ino)


def is_rule_file(path: Path) -> bool:
    """Return whether *path* is named as a rule is; samples beside one are none."""
    return _is_rule(path.name)


def _is_rule(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(SUFFIXES) and not lower.endswith(SAMPLES) and name != PLACEHOLDERS


def _look(folder: str, found: list[tuple[str, bool]]) -> None:
    """Add the rule files in *folder* and its folders to *found*, and whether each is a link."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _look(entry.path, found)
            elif _is_rule(entry.name):
                found.append((entry.path, entry.is_symlink()))


def _about(name: str) -> os.stat_result | None:
    """Return what the file system knows of a file; None for what is none."""
    try:
        about = os.stat(name)  # noqa: PTH116 - of thousands of files: Path takes twice as long
    except OSError:
        return None
    return about if stat.S_ISREG(about.st_mode) else None


@lru_cache(maxsize=100_000)
def _path(name: str) -> Path:
    return Path(name)
